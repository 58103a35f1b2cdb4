/** What of the Dockerfile a test acts by: its instructions, continued lines joined, comments gone. */
import { readFileSync } from 'node:fs';

export interface Instruction {
  readonly name: string;
  readonly text: string;
}

export function dockerfile(): Instruction[] {
  const lines = readFileSync('Dockerfile', 'utf8')
    .split('\n')
    .filter((line) => !/^\s*(#|$)/.test(line))
    .join('\n')
    .replaceAll(/\\\n\s*/g, '')
    .split('\n');
  return lines.map((line) => {
    const [, name = '', text = ''] = /^([A-Z]+)\s+(.*)$/.exec(line) ?? [];
    if (name === '') throw new Error(`expected an instruction, got "${line}"`);
    return { name, text };
  });
}

/** Of the last stage, which is the image. */
export function imageInstructions(): Instruction[] {
  const all = dockerfile();
  return all.slice(all.findLastIndex(({ name }) => name === 'FROM'));
}

export function imageEnvironment(): Record<string, string> {
  return Object.fromEntries(
    imageInstructions()
      .filter(({ name }) => name === 'ENV')
      .flatMap(({ text }) => [...text.matchAll(/(\w+)=(?:"([^"]*)"|(\S+))/g)])
      .map(([, name, quoted, plain]) => [name as string, (quoted ?? plain) as string]),
  );
}

/** The number of the user that the image runs as. */
export function imageUser(): { uid: number; gid: number } {
  const { text } = imageInstructions().find(({ name }) => name === 'USER') ?? { text: '' };
  const [uid, gid] = text.split(':').map(Number);
  if (!uid || !gid) throw new Error(`expected USER with two numbers above 0, got "${text}"`);
  return { uid, gid };
}
