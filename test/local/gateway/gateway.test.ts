import { once } from 'node:events';
import { connect } from 'node:net';
import * as sfn from '@aws-sdk/client-sfn';
import { AssumeRoleCommand, GetCallerIdentityCommand, GetSessionTokenCommand, STSClient } from '@aws-sdk/client-sts';
import { Hash } from '@smithy/core/serde';
import { SignatureV4 } from '@smithy/signature-v4';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import type { Service } from '../../../local/gateway/service.ts';
import { createStsService } from '../../../local/services/sts.ts';
import { accountId, region, rootKey } from './account.ts';
import { openEndpoint } from './endpoint.ts';

const openSts = (options = {}) =>
  openEndpoint(({ credentials }) => [createStsService({ accountId, credentials })], options);

const failure = async (work: Promise<unknown>): Promise<Error & { $metadata: { httpStatusCode: number } }> =>
  work.then(
    () => Promise.reject(new Error('it succeeded')),
    (error: Error & { $metadata: { httpStatusCode: number } }) => error,
  );

const signerFor = (service: string): SignatureV4 =>
  new SignatureV4({ service, region, credentials: rootKey, sha256: Hash.bind(null, 'sha256') });

/** A signed request by hand, for what no SDK client would send. */
const post = async (
  endpoint: string,
  service: string,
  {
    headers = {},
    body = '',
    sent = body,
    now = new Date(),
  }: { headers?: object; body?: string; sent?: string; now?: Date },
): Promise<Response> => {
  const { hostname, host } = new URL(endpoint);
  const request = { method: 'POST', protocol: 'http:', hostname, path: '/', headers: { host, ...headers }, body };
  const signed = await signerFor(service).sign(request, { signingDate: now });
  return fetch(endpoint, { method: 'POST', headers: signed.headers, body: sent });
};

const form = (body: string) => ({ headers: { 'content-type': 'application/x-www-form-urlencoded' }, body });
const identity = form('Action=GetCallerIdentity&Version=2011-06-15');

describe('the gateway refuses', () => {
  test('a wrong secret and a wrong key id, saying what to check', async () => {
    const { config } = await openSts();
    const wrongSecret = new STSClient({ ...config, credentials: { ...rootKey, secretAccessKey: 'wrong' } });
    const first = await failure(wrongSecret.send(new GetCallerIdentityCommand({})));
    expect(first).toMatchObject({ name: 'SignatureDoesNotMatch', $metadata: { httpStatusCode: 403 } });
    expect(first.message).toContain('AWS_SECRET_ACCESS_KEY');
    const wrongKey = new STSClient({ ...config, credentials: { ...rootKey, accessKeyId: 'AKIANOBODY' } });
    const second = await failure(wrongKey.send(new GetCallerIdentityCommand({})));
    expect(second).toMatchObject({ name: 'InvalidClientTokenId', message: expect.stringContaining('AKIANOBODY') });
  });

  test('a body that was changed after it was signed', async () => {
    const { gateway } = await openSts();
    const honest = await post(gateway.endpoint, 'sts', identity);
    expect(honest.status).toBe(200);
    const tampered = await post(gateway.endpoint, 'sts', { ...identity, sent: `${identity.body}&x=1` });
    expect([tampered.status, await tampered.text()]).toEqual([403, expect.stringContaining('SignatureDoesNotMatch')]);
  });

  test('a clock more than five minutes off, in both directions', async () => {
    const { gateway } = await openSts();
    for (const seconds of [-310, 310]) {
      const now = new Date(Date.now() + seconds * 1000);
      expect((await post(gateway.endpoint, 'sts', { ...identity, now })).status).toBe(403);
      const near = new Date(Date.now() + Math.sign(seconds) * 280_000);
      expect((await post(gateway.endpoint, 'sts', { ...identity, now: near })).status).toBe(200);
    }
  });

  test('a presigned URL after its end, and takes it before', async () => {
    const { gateway } = await openSts();
    const { hostname, host } = new URL(gateway.endpoint);
    const presign = async (signingDate: Date): Promise<Response> => {
      const query = { Action: 'GetCallerIdentity', Version: '2011-06-15' };
      const request = { method: 'GET', protocol: 'http:', hostname, path: '/', query, headers: { host } };
      const signed = await signerFor('sts').presign(request, { expiresIn: 60, signingDate });
      const pairs = Object.entries(signed.query ?? {}).map(([name, value]): [string, string] => [name, String(value)]);
      return fetch(`${gateway.endpoint}/?${new URLSearchParams(pairs).toString().replaceAll('+', '%20')}`);
    };
    const fresh = await presign(new Date());
    expect([fresh.status, await fresh.text()]).toEqual([
      200,
      expect.stringContaining(`<Account>${accountId}</Account>`),
    ]);
    const stale = await presign(new Date(Date.now() - 61_000));
    expect([stale.status, await stale.text()]).toEqual([403, expect.stringContaining('Request has expired')]);
  });

  test('an unsigned request with a clean 403', async () => {
    const { gateway } = await openSts();
    const answer = await fetch(gateway.endpoint);
    expect(answer.status).toBe(403);
    expect(answer.headers.get('x-amzn-errortype')).toBe('MissingAuthenticationTokenException');
  });

  test('an operation that it does not have with 501, naming service and operation', async () => {
    const { config } = await openSts();
    const error = await failure(new STSClient(config).send(new GetSessionTokenCommand({})));
    expect(error).toMatchObject({ name: 'NotImplemented', $metadata: { httpStatusCode: 501 } });
    expect(error.message).toMatch(/sts .*GetSessionToken/);
  });

  test('a service that it does not have with 501, naming it', async () => {
    const { config } = await openSts();
    const error = await failure(new sfn.SFNClient(config).send(new sfn.ListStateMachinesCommand({})));
    expect(error).toMatchObject({ name: 'NotImplemented', $metadata: { httpStatusCode: 501 } });
    expect(error.message).toContain('states');
  });

  test('a query service that it does not have with 501 in XML, which is all that its clients read', async () => {
    const { gateway } = await openSts();
    const answer = await post(gateway.endpoint, 'iam', form('Action=ListRoles&Version=2010-05-08'));
    expect([answer.status, answer.headers.get('content-type')]).toEqual([501, 'text/xml']);
    expect(await answer.text()).toMatch(/<Code>NotImplemented<\/Code><Message>iam does not implement/);
  });

  test('a body over 8 MiB with 413', async () => {
    const { gateway } = await openSts();
    const body = `Action=GetCallerIdentity&Version=2011-06-15&x=${'y'.repeat(8 * 1024 * 1024)}`;
    const answer = await post(gateway.endpoint, 'sts', { ...identity, body });
    expect([answer.status, await answer.text()]).toEqual([413, expect.stringContaining('RequestEntityTooLarge')]);
  });
});

describe('the gateway', () => {
  test('gives requests without a signature to the fallback, signed ones to the service', async () => {
    const { gateway } = await openSts({
      fallback: (request: { url?: string }, response: { end(text: string): void }) =>
        response.end(`app ${request.url}`),
    });
    expect(await (await fetch(`${gateway.endpoint}/messages`)).text()).toBe('app /messages');
    expect((await post(gateway.endpoint, 'sts', identity)).status).toBe(200);
  });

  test('lets temporary credentials act as their role, only with their session token', async () => {
    const { config } = await openSts();
    const role = { RoleArn: `arn:aws:iam::${accountId}:role/reader`, RoleSessionName: 'me' };
    const { Credentials: key } = await new STSClient(config).send(new AssumeRoleCommand(role));
    const credentials = { accessKeyId: key?.AccessKeyId ?? '', secretAccessKey: key?.SecretAccessKey ?? '' };
    const whole = new STSClient({ ...config, credentials: { ...credentials, sessionToken: key?.SessionToken } });
    const identity = await whole.send(new GetCallerIdentityCommand({}));
    expect(identity.Arn).toBe(`arn:aws:sts::${accountId}:assumed-role/reader/me`);
    const error = await failure(new STSClient({ ...config, credentials }).send(new GetCallerIdentityCommand({})));
    expect(error).toMatchObject({ name: 'InvalidClientTokenId' });
  });

  test('ends its connections and its services when it closes', async () => {
    const close = vi.fn();
    const { gateway } = await openEndpoint(() => [
      { kind: 'stream', signingName: 's3', handle: () => Promise.resolve(), close } satisfies Service,
    ]);
    const socket = connect(gateway.port, '127.0.0.1');
    onTestFinished(() => void socket.destroy());
    await once(socket, 'connect');
    const ended = once(socket, 'close');
    await Promise.all([gateway.close(), gateway.close(), ended]);
    expect(close).toHaveBeenCalledOnce();
    await expect(fetch(gateway.endpoint)).rejects.toThrow('fetch failed');
  });

  test('aborts the signal of a call whose client goes away', async () => {
    const arrived = Promise.withResolvers<AbortSignal>();
    const { gateway } = await openEndpoint(() => [
      {
        kind: 'stream',
        signingName: 's3',
        handle: (_request, _response, { signal }) => Promise.resolve(arrived.resolve(signal)),
      } satisfies Service,
    ]);
    const abort = new AbortController();
    const headers = { authorization: `AWS4-HMAC-SHA256 Credential=A/20260101/${region}/s3/aws4_request` };
    const answer = fetch(gateway.endpoint, { headers, signal: abort.signal });
    const signal = await arrived.promise;
    const aborted = once(signal, 'abort');
    abort.abort();
    await expect(answer).rejects.toThrow();
    await aborted;
    expect(signal.aborted).toBe(true);
  });
});

test('a call that was answered is not aborted afterwards', async () => {
  const over = Promise.withResolvers<AbortSignal>();
  const { gateway } = await openEndpoint(() => [
    {
      kind: 'stream',
      signingName: 's3',
      handle: (_request, response, { signal }) => {
        response.once('close', () => setImmediate(() => over.resolve(signal)));
        response.end('done');
        return Promise.resolve();
      },
    } satisfies Service,
  ]);
  const headers = { authorization: `AWS4-HMAC-SHA256 Credential=A/20260101/${region}/s3/aws4_request` };
  expect(await (await fetch(gateway.endpoint, { headers })).text()).toBe('done');
  expect((await over.promise).aborted).toBe(false);
});
