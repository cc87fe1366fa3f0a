import { engineConformance } from "../../testing/engine-conformance.ts";
import { MemoryEngine } from "./memory-engine.ts";

engineConformance("memory", async () => new MemoryEngine());
