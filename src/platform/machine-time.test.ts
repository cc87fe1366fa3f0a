import test from "ava";
import { MachineTime, type TimeReadings } from "./machine-time.ts";

/** A machine whose clocks a test sets. */
class Machine implements TimeReadings {
  wall = 1_700_000_000_000;
  awake = 5000;
  slept = 0;

  wallMs = (): number => Math.floor(this.wall);
  awakeMs = (): number => this.awake;
  sinceBootMs = (): number => 90_000 + this.awake + this.slept;

  run(ms: number): void {
    this.wall += ms;
    this.awake += ms;
  }

  sleep(ms: number): void {
    this.wall += ms;
    this.slept += ms;
  }
}

test("the wall clock stays within its millisecond, whatever steps it makes", (t) => {
  const machine = new Machine();
  const time = new MachineTime(machine);
  for (const step of [0, 3_600_000, -7_200_000, 0.4, -0.3, 86_400_000]) {
    machine.wall += step;
    for (let i = 0; i < 5; i++) {
      machine.run(0.37);
      const { sec, nsec } = time.now();
      t.is(sec * 1000 + Math.floor(nsec / 1e6), machine.wallMs(), `after a step of ${step} ms`);
    }
  }
});

test("between two milliseconds of the wall clock its time goes on", (t) => {
  const machine = new Machine();
  const time = new MachineTime(machine);
  const first = time.now().nsec;
  machine.run(0.25);
  t.true(Math.abs(time.now().nsec - first - 250_000) < 1000);
});

test("time in which the machine slept is counted at the first look afterwards", (t) => {
  const machine = new Machine();
  const time = new MachineTime(machine);
  const beganMs = time.monotonicMs();
  machine.run(1000);
  machine.sleep(600_000);
  t.is(time.monotonicMs() - beganMs, 601_000);
  machine.run(500);
  machine.sleep(30_000);
  t.is(time.monotonicMs() - beganMs, 631_500);
});

test("steps of the wall clock don't touch the monotonic one", (t) => {
  const machine = new Machine();
  const time = new MachineTime(machine);
  const beganMs = time.monotonicMs();
  for (const step of [3_600_000, -10_800_000]) {
    machine.wall += step;
    machine.run(10);
    time.monotonicMs();
  }
  t.is(time.monotonicMs() - beganMs, 20);
});
