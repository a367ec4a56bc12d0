import { request } from 'node:http';
import { connect } from 'node:net';
import type { Probe } from '../controllers/workloads.ts';
import { pause } from './pause.ts';

export interface Prober {
  readonly probe: Probe;
  readonly port: () => number | undefined;
  readonly listening: Promise<number>;
  /** Ends the probing. */
  readonly signal: AbortSignal;
  /** Hears every change of mind: true after `successThreshold` successes, false after `failureThreshold` failures in a row. */
  readonly judge: (healthy: boolean) => void;
  /** Hears why a single probe failed. */
  readonly complain: (reason: string) => void;
}

const httpGet = (probe: Probe, port: number, timeout: number): Promise<void> =>
  new Promise((good, fail) => {
    const { path = '/', httpHeaders = [] } = probe.httpGet ?? {};
    const headers = Object.fromEntries(httpHeaders.map(({ name, value }) => [name, value]));
    const outgoing = request(
      {
        host: '127.0.0.1',
        port,
        path: path.startsWith('/') ? path : `/${path}`,
        agent: false,
        headers: { 'user-agent': 'kube-probe/tenantry', accept: '*/*', ...headers },
      },
      (incoming) => {
        incoming.resume();
        const { statusCode = 0 } = incoming;
        if (statusCode >= 200 && statusCode < 400) good();
        else fail(new Error(`HTTP probe failed with statuscode: ${statusCode}`));
      },
    );
    // Not the socket's own timeout: that starts anew with every byte.
    const late = setTimeout(() => outgoing.destroy(new Error(`no answer within ${timeout} ms`)), timeout);
    outgoing.once('error', fail);
    outgoing.once('close', () => clearTimeout(late));
    outgoing.end();
  });

const tcpConnect = (port: number, timeout: number): Promise<void> =>
  new Promise((good, fail) => {
    const socket = connect({ host: '127.0.0.1', port, timeout });
    socket.once('timeout', () => socket.destroy(new Error(`no connection within ${timeout} ms`)));
    socket.once('error', fail);
    socket.once('connect', () => {
      socket.destroy();
      good();
    });
  });

const attempt = async (probe: Probe, port: number | undefined): Promise<void> => {
  const timeout = (probe.timeoutSeconds ?? 1) * 1_000;
  if (!probe.httpGet && !probe.tcpSocket) throw new Error('a laptop runs probes with httpGet or tcpSocket only');
  if (port === undefined) throw new Error('the process does not listen');
  return probe.httpGet ? httpGet(probe, port, timeout) : tcpConnect(port, timeout);
};

/**
 * Sends a container's probe to its process until `signal`, as the kubelet does; the port is the one that the process told. The first
 * probe is sent as soon as the process listens, so that a fast program does not wait out a period.
 */
export const runProbe = async ({ probe, port, listening, signal, judge, complain }: Prober): Promise<void> => {
  const period = (probe.periodSeconds ?? 10) * 1_000;
  if (!(await pause((probe.initialDelaySeconds ?? 0) * 1_000, signal))) return;
  if (port() === undefined) await Promise.race([listening, pause(period, signal)]);
  let successes = 0;
  let failures = 0;
  while (!signal.aborted) {
    try {
      await attempt(probe, port());
      successes += 1;
      failures = 0;
      if (!signal.aborted && successes === (probe.successThreshold ?? 1)) judge(true);
    } catch (error) {
      if (signal.aborted) return;
      successes = 0;
      failures += 1;
      complain(error instanceof Error ? error.message : String(error));
      if (failures === (probe.failureThreshold ?? 3)) judge(false);
    }
    await pause(period, signal);
  }
};
