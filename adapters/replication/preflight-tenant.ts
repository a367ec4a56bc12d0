import type { Finding } from '../../domain/move.ts';
import { leavesOf } from '../../domain/scope.ts';
import { findTenant } from '../pool/tenant.ts';
import { identPath } from '../postgres/identifier.ts';
import { finding, type Look, type Looked } from './look.ts';
import { channelPattern, moveOfChannel } from './names.ts';

const sourceFinding = async ({ source, request }: Look): Promise<Finding> => {
  const tenant = await findTenant(source.client, request.tenantId);
  const broken =
    tenant?.state === 'open' ? [] : [`tenant ${request.tenantId} is ${tenant?.state ?? 'unknown'} on the source`];
  return finding('tenant', 'both', broken, {
    well: 'the source serves the tenant',
    fix: 'give the database that serves the tenant, after its release, restore or move there is over',
  });
};

/** Rows of an earlier attempt that are in nobody's use are deleted at the start; a tenant that is served is not. */
const targetFinding = async ({ target, request }: Look): Promise<Finding[]> => {
  if (!target) return [];
  const tenant = await findTenant(target.client, request.tenantId);
  const broken =
    !tenant || tenant.state === 'moved' ? [] : [`tenant ${request.tenantId} is ${tenant.state} on the target`];
  if (!tenant)
    for (const path of target.scope.tables.flatMap(leavesOf)) {
      const { rows } = await target.client.query(`SELECT FROM ONLY ${identPath(path)} WHERE tenant_id = $1 LIMIT 1`, [
        request.tenantId,
      ]);
      if (rows.length > 0) broken.push(`${path} of the target has rows of a tenant that it does not know`);
    }
  return [
    finding('target', 'both', broken, {
      well: 'the target does not serve the tenant',
      fix: 'release the tenant there, or move it to another database',
    }),
  ];
};

const objectsSql = `
SELECT 'slot' AS kind, slot_name AS name FROM pg_replication_slots WHERE slot_name ~ $1 AND database = current_database()
UNION ALL SELECT 'publication', pubname FROM pg_publication WHERE pubname ~ $1
UNION ALL SELECT 'subscription', subname FROM pg_subscription
  WHERE subname ~ $1 AND subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())`;

/** Moves of this tenant that are not over, by the record and by what they left without one. */
const otherMoves = async ({ client, name }: Looked, { request }: Look): Promise<string[]> => {
  const moves = await client.query<{ id: string; tenant: string; phase: string }>(
    'SELECT move_id AS id, tenant_id AS tenant, phase FROM tenantry.moves',
  );
  const known = new Map(moves.rows.map((row) => [row.id, row]));
  const open = moves.rows
    .filter(({ id, tenant }) => tenant === request.tenantId && id !== request.moveId)
    .filter(({ phase }) => phase !== 'finished' && phase !== 'abandoned')
    .map(({ id, phase }) => `move ${id} of this tenant is ${phase} on the ${name}`);
  const objects = await client.query<{ kind: string; name: string }>(objectsSql, [channelPattern]);
  const left = objects.rows.flatMap((object) => {
    const id = moveOfChannel(object.name);
    const owner = id === undefined ? undefined : known.get(id);
    if (id === request.moveId || (owner && owner.tenant !== request.tenantId)) return [];
    return owner && owner.phase !== 'finished' && owner.phase !== 'abandoned'
      ? []
      : [`${object.kind} ${object.name} on the ${name} belongs to no living move`];
  });
  return [...open, ...left];
};

export const tenantFindings = async (look: Look): Promise<Finding[]> => {
  const others: string[] = [];
  for (const side of look.sides) others.push(...(await otherMoves(side, look)));
  return [
    await sourceFinding(look),
    ...(await targetFinding(look)),
    finding('other-moves', 'both', others, {
      well: 'no other move of the tenant is under way',
      fix: 'finish or abandon that move; run the janitor for what belongs to none',
    }),
  ];
};
