// This mount's own changes, numbered, to tell which replies may be older than they are.

/** When a request was made, to tell whether its reply is older than something known since. */
export interface AskedAt {
  readonly change: number;
  readonly nameChange: number;
  /** Monotonic. */
  readonly ms: number;
}

export class OwnChanges {
  #files = 0;
  #names = 0;

  /**
   * Number of the latest acknowledged change of names, which change link counts of inodes they
   * don't name.
   */
  get names(): number {
    return this.#names;
  }

  /** For a request that is made now. */
  askedAt(ms: number): AskedAt {
    return { change: this.#files, nameChange: this.#names, ms };
  }

  /** A file, or an inode's xattrs, were changed. Returns the change's number. */
  nextOfFiles(): number {
    this.#files += 1;
    return this.#files;
  }

  /** A name was changed. Returns the change's number. */
  nextOfNames(): number {
    this.#names += 1;
    return this.#names;
  }
}
