// Real: what `outbox verify` judges before it makes anything, and the driver's own reading of a URL. Nothing is connected to.
import { readFileSync } from 'node:fs';
import { LEFT_OUT_FIRST, needOf, type Room, roomOf, whyNoRoom } from '../../src/main/chaos/check-room.js';
import { STAGING_FAULTS } from '../../src/main/chaos/faults/index.js';
import { passedOn } from '../../src/main/chaos/passed-on.js';
import { refuseUnproxied, whyUnproxied } from '../../src/main/chaos/refuse-unproxied.js';
import { StartRefusedError } from '../../src/main/start-refused-error.js';

describe('a URL that is to lead through a proxy', () => {
  const HOST = 'postgresql://me@db.example.com';
  afterEach(() => {
    delete process.env.PGSSLMODE;
  });

  it.each([
    `${HOST}:5432/orders`,
    `${HOST}/orders?sslmode=disable`,
    `${HOST}/orders?sslmode=no-verify`,
    `${HOST}/orders?uselibpqcompat=true&sslmode=require`,
    'postgresql://me:secret@[::1]:5433/orders',
  ])('%s does', (url) => {
    expect(whyUnproxied(url)).toBeNull();
  });

  it.each(['require', 'prefer', 'verify-ca', 'verify-full'])('sslmode=%s compares the name of the host', (mode) => {
    expect(whyUnproxied(`${HOST}/orders?sslmode=${mode}`)).toContain('sslmode=no-verify');
    process.env.PGSSLMODE = mode;
    expect(whyUnproxied(`${HOST}/orders`)).toContain('sslmode=no-verify');
    expect(whyUnproxied(`${HOST}/orders?sslmode=no-verify`)).toBeNull();
  });

  it.each([
    'postgresql:///orders?host=/var/run/postgresql',
    'postgresql://me@%2Fvar%2Frun%2Fpostgresql/orders',
    'postgresql://me@one,two/orders',
    'postgresql://me@one:5432,two:5432/orders',
    `${HOST}/orders?port=6432`,
    'postgresql:///orders',
  ])('%s names no one host and port', (url) => {
    expect(whyUnproxied(url)).toContain('one host and one port');
  });

  it('is refused by the name of its variable, and its password is not shown', () => {
    const refuse = () => refuseUnproxied('OUTBOX_DATABASE_URL', 'postgresql://me:hidden@db/orders?sslmode=require');
    expect(refuse).toThrow(StartRefusedError);
    expect(refuse).toThrow(/^OUTBOX_DATABASE_URL: (?!.*hidden).*Nothing was made$/);
  });
});

describe('room for the connections of a verification', () => {
  const room = (server: string, free: number): Room => ({ server, free, open: 100 - free, most: 100 });
  const plain = needOf({ faults: [], short: false });

  it('is asked of each server, and of one for both databases', () => {
    const [outbox, audit] = [room('a', plain.outbox), room('b', plain.audit)];
    expect(whyNoRoom({ outbox, audit }, plain)).toBeNull();
    const both = room('a', plain.outbox + plain.audit - 1);
    expect(whyNoRoom({ outbox: both, audit: both }, plain)).toBe(
      `expected ${plain.outbox + plain.audit} free connections at the server of both databases, there are ${both.free} (${both.open} of 100 are open)`,
    );
    expect(whyNoRoom({ outbox, audit: room('b', 1) }, plain)).toContain('at the server of the audit log, there are 1 ');
  });

  it('a default PostgreSQL with both databases has it, also with faults, but for those with many roles', () => {
    const both = room('a', 97);
    const asked = (faults: readonly string[]) =>
      whyNoRoom({ outbox: both, audit: both }, needOf({ short: false, faults }));
    const staging = STAGING_FAULTS.map(({ id }) => id);
    expect(asked([])).toBeNull();
    expect(asked(staging.filter((id) => !LEFT_OUT_FIRST.includes(id)))).toBeNull();
    for (const id of LEFT_OUT_FIRST) expect(asked([id])).toContain('there are 97');
  });

  it('is as much as the guide says', () => {
    const mix = STAGING_FAULTS.map(({ id }) => id).filter((id) => id !== 'F14');
    const need = (faults: readonly string[], short = false) => needOf({ faults, short });
    const guide = readFileSync('docs/reliability/README.md', 'utf8').replaceAll(/\s+/g, ' ');
    expect(guide).toContain(
      `At most it may come to ${plain.outbox} to the outbox's server and ${plain.audit} to the audit log's; with faults to ${need(mix).outbox} and ${need(mix).audit}.`,
    );
    const less = need(mix.filter((id) => id !== 'F26'));
    expect(guide).toContain(
      `Without F14 and F26 these are ${less.outbox} and ${less.audit}: ${less.outbox + less.audit} where one server has both.`,
    );
    expect(guide).toContain(`with it ${need(['F14']).outbox} (${need(['F14'], true).outbox}) to the outbox's server`);
  });

  it('counts the limit of the role where that is less', () => {
    const counted = { server: 'a', most: 97, open: 20, roleLimit: -1, roleOpen: 3 };
    expect(roomOf(counted)).toEqual({ server: 'a', most: 97, open: 20, free: 77 });
    expect(roomOf({ ...counted, roleLimit: 10 })).toEqual({ server: 'a', most: 10, open: 3, free: 7 });
    expect(roomOf({ ...counted, open: 120 }).free).toBe(0);
  });
});

describe('what the roles get of the environment', () => {
  const plain = { address: 'temporal.example.com:7233', connectionOptions: {} };

  it('is how to get in: passwords and certificates, and nothing of the deployment’s', () => {
    const environment = {
      PGPASSWORD: 'secret',
      PGPASSFILE: '/run/pgpass',
      PGSSLMODE: '',
      NODE_EXTRA_CA_CERTS: '/etc/ca.pem',
      TEMPORAL_API_KEY: 'key',
      OUTBOX_SEARCH_ATTRIBUTES: 'off',
      OUTBOX_TASK_QUEUE: 'orders',
      OUTBOX_DATABASE_URL: 'postgresql://orders',
      AWS_SECRET_ACCESS_KEY: 'other',
    };
    expect(passedOn(environment, plain)).toEqual({
      PGPASSWORD: 'secret',
      PGPASSFILE: '/run/pgpass',
      NODE_EXTRA_CA_CERTS: '/etc/ca.pem',
      TEMPORAL_API_KEY: 'key',
      OUTBOX_SEARCH_ATTRIBUTES: 'off',
    });
  });

  it('Temporal’s certificate is compared with its own name, not the proxy’s, unless another is given', () => {
    const tls = { ...plain, connectionOptions: { tls: true } };
    expect(passedOn({}, tls)).toEqual({ TEMPORAL_TLS_SERVER_NAME: 'temporal.example.com' });
    expect(passedOn({ TEMPORAL_TLS_SERVER_NAME: 'mine' }, tls)).toEqual({ TEMPORAL_TLS_SERVER_NAME: 'mine' });
  });
});
