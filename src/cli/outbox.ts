#!/usr/bin/env node
// Looks at Node's version before anything is loaded that an old one cannot read, so that the reason is a sentence.
const EXPECTED = [22, 19] as const;
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
if (major < EXPECTED[0] || (major === EXPECTED[0] && minor < EXPECTED[1])) {
  process.stderr.write(
    `outbox: expected Node ${EXPECTED.join('.')} or newer, this is ${process.versions.node}. ` +
      'Install a newer one, or run it through npm in a checkout, which brings its own.\n',
  );
  process.exitCode = 78;
} else {
  await import('./program.js');
}
