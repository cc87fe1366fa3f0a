{
  "targets": [
    {
      "target_name": "dfs_fuse_channel",
      "conditions": [
        [
          "OS=='linux'",
          {
            "sources": [
              "src/fuse/addon/channel.c",
              "src/fuse/addon/replies.c",
              "src/fuse/addon/notifier.c",
              "src/fuse/addon/mount.c"
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
