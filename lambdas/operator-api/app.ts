import { Logger } from '@aws-lambda-powertools/logger';
import { Hono } from 'hono';
import * as z from 'zod';
import type { World } from '../../adapters/world.ts';
import { eventSchemas, laterRequests } from '../../domain/events.ts';
import { plans } from '../../domain/plans.ts';
import { workflows } from '../../domain/workflows.ts';
import { backupRoutes } from './backups.ts';
import { cloneRoutes } from './clones.ts';
import { deadLetterRoutes } from './dead-letters.ts';
import { domainRoutes } from './domains.ts';
import { drillRoutes } from './drills.ts';
import { eventRoutes } from './events.ts';
import { moveRoutes } from './moves.ts';
import { operationRoutes } from './operations.ts';
import { placementRoutes } from './placements.ts';
import { planRoutes } from './plans.ts';
import { answerProblem, Problem, problemOf } from './problem.ts';
import { recoveryRoutes } from './recoveries.ts';
import { type ApiEnv, limit, page, queryOf } from './request.ts';
import { restoreRoutes } from './restores.ts';
import { tenantRoutes } from './tenants.ts';

const logger = new Logger({ serviceName: 'tenantry' });

const auditQuery = z.object({ tenant: z.string().optional(), after: z.coerce.number().int().optional(), limit });

/** The operator API, which console and CLI speak: everything under `/api/v1`, problems as RFC 9457. */
export const operatorApi = (world: () => World): Hono<ApiEnv> => {
  const app = new Hono<ApiEnv>().basePath('/api/v1');
  app.use(async (context, next) => {
    context.set('world', world());
    context.header('cache-control', 'no-store');
    await next();
  });
  app.get('/meta', async (context) => {
    const { registry } = context.get('world');
    const [cells, tenantUrl] = await Promise.all([registry.cells.list(), registry.routes.pattern()]);
    return context.json({
      api: 'v1',
      tenantUrl,
      plans,
      workflows: Object.keys(workflows),
      cells: cells.map(({ id, region, capacity, used, open }) => ({ id, region, capacity, used, open })),
      notYetSupported: laterRequests,
    });
  });
  app.get('/meta/event-schemas', (context) => context.json(eventSchemas()));
  app.get('/audit', async (context) => {
    const { tenant, ...filter } = queryOf(context, auditQuery);
    const items = await context.get('world').registry.audit.list({ ...filter, tenantId: tenant });
    return context.json(page(items, filter.limit, ({ id }) => id));
  });
  app.route('/tenants', tenantRoutes);
  app.route('/tenants/:id', planRoutes);
  app.route('/tenants/:id', domainRoutes);
  app.route('/operations', operationRoutes);
  app.route('/restores', restoreRoutes);
  app.route('/clones', cloneRoutes);
  app.route('/recoveries', recoveryRoutes);
  app.route('/moves', moveRoutes);
  app.route('/placements', placementRoutes);
  app.route('/backups', backupRoutes);
  app.route('/drills', drillRoutes);
  app.route('/events', eventRoutes);
  app.route('/dead-letters', deadLetterRoutes);
  app.notFound((context) =>
    answerProblem(
      context,
      new Problem(404, 'not-found', `${context.req.method} ${context.req.path} is not part of this API`),
      context.req.path,
    ),
  );
  app.onError((error, context) => {
    const problem = problemOf(error);
    if (problem.status >= 500) logger.error('request failed', { path: context.req.path, error });
    return answerProblem(context, problem, context.req.path);
  });
  return app;
};
