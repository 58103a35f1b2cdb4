/** BSD sysexits, so that a script can tell what to mend. */
export const EXIT = {
  done: 0,
  failed: 1,
  usage: 64,
  /** `import`: at least one line was refused and named; the rest is in. */
  refused: 65,
  /** `import`: no such file. */
  noInput: 66,
  /** A database or Temporal is away; the same command may succeed later. */
  unavailable: 69,
  /** A setting, or what it names: another deployment, a database that is not migrated, a wrong password. */
  configuration: 78,
  interrupted: 130,
} as const;
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];
