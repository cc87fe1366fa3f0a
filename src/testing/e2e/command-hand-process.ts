// The process of CommandHand; it ends when its parent does, or lets it go.
import type { Command, CommandEnd } from "./command-hand.ts";
import { runDfs } from "./run-dfs.ts";

process.on("message", ({ id, args, options }: Command) => {
  runDfs(args, options).then(
    (result) => tell({ id, result }),
    (error: unknown) => tell({ id, error: String(error) }),
  );
});

function tell(end: CommandEnd): void {
  process.send?.(end);
}
