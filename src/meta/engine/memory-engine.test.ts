import { engineConformance } from "../../testing/engine/engine-conformance.ts";
import { MemoryEngine } from "./memory-engine.ts";

engineConformance("memory", async () => new MemoryEngine());
