import { expect } from 'vitest';
import type { TestCloud } from '../cloud.ts';
import type { terminal } from './terminal.ts';

/** Damage that the product does not see: triggers are off. */
export const asAdmin = async (laptop: TestCloud, text: string): Promise<void> => {
  const pool = await laptop.admin('pool');
  await pool.query('SET session_replication_role = replica');
  await pool.query(text);
};

/** Makes the tenant acme by the command line, of plan pro, with the users 501 and 502 and one archive of its 5 rows. */
export const createArchivedTenant = async (laptop: TestCloud, tenantry: ReturnType<typeof terminal>): Promise<void> => {
  const acme = await tenantry.run(
    'tenant',
    'create',
    'acme',
    '--plan',
    'pro',
    '--name',
    'Acme Inc',
    '--admin-email',
    'a@acme.example',
  );
  expect(acme).toMatchObject({ code: 0, stdout: '' });
  expect(acme.stderr).toContain('ok    ActivateTenant');
  expect(acme.stderr).toContain(`acme is at http://acme.localhost:${laptop.cloud.port}`);
  await asAdmin(
    laptop,
    "INSERT INTO users (tenant_id, id, email, full_name) VALUES ('acme', 501, 'b@x', 'Bob'), ('acme', 502, 'c@x', 'Cy')",
  );
  expect(await tenantry.json(['backup', 'create', 'acme', '--reason', 'nightly'])).toMatchObject({
    kind: 'back-up-tenant',
    status: 'succeeded',
  });
};
