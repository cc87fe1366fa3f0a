{
  "targets": [
    {
      "target_name": "dfs_fuse_channel",
      "conditions": [
        [
          "OS=='linux'",
          {
            "sources": [
              "src/fuse/channel/native/channel.c",
              "src/fuse/channel/native/replies.c",
              "src/fuse/channel/native/notifier.c",
              "src/fuse/channel/native/mount.c"
            ],
            "defines": ["_GNU_SOURCE", "NAPI_VERSION=8"],
            "cflags": ["-O2", "-Wall", "-Wextra", "-Wno-unused-parameter", "-std=c11"]
          },
          {"type": "none"}
        ]
      ]
    }
  ]
}
