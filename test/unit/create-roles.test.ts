/** Real: the checks of createRoles, which come before anything is opened. That roles run is in test/e2e. */
import { createRoles } from '../../src/main/create-role.js';

it.each([[[]], [['relay', 'sealer']]])('refuses the roles %j by name', async (roles) => {
  await expect(createRoles(roles as never)).rejects.toThrow(
    /createRoles: expected some of api, relay, worker, got (none|sealer)/,
  );
});

it('names every setting that is missing for all of its roles', async () => {
  const starting = createRoles(['relay', 'worker'], {}, { environment: {} });
  await expect(starting).rejects.toMatchObject({
    message: expect.stringMatching(/OUTBOX_DATABASE_URL[\s\S]*OUTBOX_AUDIT_API_KEY/),
  });
});
