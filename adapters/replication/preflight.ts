import type pg from 'pg';
import { estimateMove, type Finding, type MoveEstimate } from '../../domain/move.ts';
import { readScope } from '../catalog/read-scope.ts';
import type { Look, Looked, PreflightRequest } from './look.ts';
import { probeFindings } from './preflight-probe.ts';
import { rowFindings, tenantSizes } from './preflight-rows.ts';
import { schemaFindings } from './preflight-schema.ts';
import { serverFindings } from './preflight-server.ts';
import { tenantFindings } from './preflight-tenant.ts';
import { endSessions, type MoveSide, namedFailure, openSession } from './side.ts';

export interface Preflight {
  readonly findings: readonly Finding[];
  readonly estimate: MoveEstimate;
}

/**
 * Whether and how a tenant can be moved, and what that costs. Changes nothing: its probes are rolled back. Every check answers
 * one finding, also when it is well; what is wrong says how it is mended and which kind of move it forbids.
 */
export const preflight = async (request: PreflightRequest): Promise<Preflight> => {
  const opened: pg.Client[] = [];
  const look = async (name: Looked['name'], side: MoveSide): Promise<Looked> => {
    const client = await openSession(side);
    opened.push(client);
    return { name, side, client, scope: await readScope(client) };
  };
  try {
    const source = await look('source', request.source);
    const target = request.target && (await look('target', request.target));
    const estimate = estimateMove(await tenantSizes(source.client, source.scope, request.tenantId));
    const sides = target ? [source, target] : [source];
    const seen: Look = { request, source, target, sides, estimate };
    const findings = [
      ...(await tenantFindings(seen)),
      ...(await schemaFindings(seen)),
      ...(await rowFindings(seen)),
      ...(await serverFindings(seen)),
      ...(await probeFindings(seen)),
    ];
    return { findings, estimate };
  } catch (error) {
    throw namedFailure(error, request);
  } finally {
    await endSessions(opened);
  }
};
