/** host:port of the Temporal server that the global set-up started. Namespace: `default`. */
export function temporalAddress(): string {
  const address = process.env.TEST_TEMPORAL_ADDRESS;
  if (address === undefined) throw new Error('no Temporal: run this file in the jest project "system"');
  return address;
}

/** The path of the `temporal` executable, for tests that start and kill a server of their own. */
export function temporalCli(): string {
  const cli = process.env.TEST_TEMPORAL_CLI;
  if (cli === undefined) throw new Error('no Temporal CLI: a server was named by TEST_TEMPORAL_ADDRESS');
  return cli;
}
