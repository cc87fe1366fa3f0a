import test from "ava";
import { loadChannelAddon } from "./addon.ts";
import { MAX_REQUEST_DATA_BYTES, WRITE_IN_BYTES, IN_HEADER_BYTES } from "../channel/wire.ts";

test("an addon that isn't built is told with what to do", (t) => {
  t.throws(() => loadChannelAddon("./no-such-addon.node"), {
    code: "ENOSYS",
    message: /npm run build/,
  });
});

test("the addon's slots take the largest write, its data on a page", (t) => {
  const { layout } = loadChannelAddon();
  const head = IN_HEADER_BYTES + WRITE_IN_BYTES;
  t.is((layout.slotStart + head) % 4096, 0);
  t.is(layout.slotStride % 4096, 0);
  t.is(layout.slotStart + head + MAX_REQUEST_DATA_BYTES, layout.slotStride);
  t.true(layout.replyBytes >= 16 + MAX_REQUEST_DATA_BYTES);
});
