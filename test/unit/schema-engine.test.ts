// Real: our front for Prisma's schema engine, started as the `prisma` CLI starts it. No database: the port is closed.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';
import { text } from 'node:stream/consumers';

const PASSWORD = 'hunter2';
const CLOSED = JSON.stringify({ url: `postgresql://someone:${PASSWORD}@127.0.0.1:1/nowhere?schema=outbox` });

async function run(args: string[], input = ''): Promise<{ code: number; stdout: string; stderr: string }> {
  const child = spawn(resolve('config', 'prisma-schema-engine.ts'), args);
  child.stdin.end(input);
  const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')]);
  return { code, stdout, stderr };
}

const request = (id: number, method: string) => `${JSON.stringify({ jsonrpc: '2.0', id, method, params: {} })}\n`;

describe("the front for Prisma's schema engine", () => {
  it('answers every request in order with an error that names the cause, and ends well when its input does', async () => {
    const { code, stdout } = await run(['--datasource', CLOSED], request(1, 'diff') + request(2, 'applyMigrations'));
    const replies = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(replies.map(({ id, jsonrpc }) => [jsonrpc, id])).toEqual([
      ['2.0', 1],
      ['2.0', 2],
    ]);
    for (const { error } of replies) {
      expect(error.data).toMatchObject({ is_panic: false, message: expect.stringContaining('ECONNREFUSED') });
    }
    expect(stdout).not.toContain(PASSWORD);
    expect(code).toBe(0);
  });

  it('says which variable to set when a command needs a database and has none', async () => {
    const { stdout } = await run([], request(1, 'diff'));
    expect(JSON.parse(stdout).error.data.message).toMatch(/OUTBOX_DATABASE_URL or AUDIT_DATABASE_URL/);
  });

  it("passes over the CLI's answers to what it printed", async () => {
    const { code, stdout } = await run([], '{"jsonrpc":"2.0","id":"x","result":{}}\n\n');
    expect({ code, stdout }).toEqual({ code: 0, stdout: '' });
  });

  it('tells in the form the CLI parses that a database cannot be reached', async () => {
    const { code, stderr } = await run(['--datasource', CLOSED, 'cli', 'can-connect-to-database']);
    const [, line] = stderr.split('\n');
    expect(JSON.parse(line ?? '')).toMatchObject({ level: 'ERROR', fields: { error_code: 'P1001' } });
    expect(stderr).not.toContain(PASSWORD);
    expect(code).toBe(1);
  });
});
