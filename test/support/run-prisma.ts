import { execFile } from 'node:child_process';
import { resolve } from 'node:path';

export interface PrismaOutput {
  readonly code: number;
  readonly output: string;
}

/** Runs the `prisma` CLI in a process of its own. `migrate dev` insists on a terminal: standard input says it is one. */
export function runPrisma(args: string[], options: { cwd: string; env: NodeJS.ProcessEnv }): Promise<PrismaOutput> {
  const terminal = 'data:text/javascript,process.stdin.isTTY=true';
  const command = ['--import', terminal, resolve('node_modules/prisma/build/index.js'), ...args];
  return new Promise((done) => {
    const child = execFile(
      process.execPath,
      command,
      { cwd: options.cwd, env: { ...process.env, CI: '', ...options.env } },
      (error, stdout, stderr) => done({ code: error === null ? 0 : Number(error.code), output: stdout + stderr }),
    );
    child.stdin?.end();
  });
}
