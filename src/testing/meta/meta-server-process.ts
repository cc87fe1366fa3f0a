// A metadata server over lmdb as a process of its own, for tests that kill it. Arguments: data
// directory, port. Tells its parent the URL when it is ready.
import { startMetadataServer } from "../../app/metadata-server.ts";
import { createLog } from "../../observability/log.ts";

const [dataDir = "", port = "0"] = process.argv.slice(2);
const server = await startMetadataServer({
  dataDir,
  port: Number(port),
  log: createLog("meta"),
});
process.send?.(server.url);
