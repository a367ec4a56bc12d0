import { text } from 'node:stream/consumers';
import { ServiceError } from '../../gateway/service.ts';
import { StateFailure } from '../failure.ts';
import type { World } from '../world.ts';
import { serviceCause } from './lambda.ts';

interface ObjectParameters {
  readonly Bucket?: unknown;
  readonly Key?: unknown;
  readonly Body?: unknown;
}

/** Errors of S3 in the name that a Task shows: `S3.NoSuchKeyException`. */
export const objectFailure = (error: unknown): StateFailure => {
  if (error instanceof StateFailure) return error;
  const name = error instanceof ServiceError ? error.name : 'SdkClientException';
  const message = error instanceof Error ? error.message : String(error);
  return new StateFailure(
    name.endsWith('Exception') ? `S3.${name}` : `S3.${name}Exception`,
    serviceCause('S3', name, message),
  );
};

/** Bucket and key of an S3 call. Throws States.Runtime naming the field. */
export const objectPlace = (parameters: unknown, api: string): { bucket: string; key: string } => {
  const { Bucket, Key } = (parameters ?? {}) as ObjectParameters;
  for (const [field, value] of Object.entries({ Bucket, Key })) {
    if (typeof value !== 'string' || value === '') {
      throw new StateFailure(
        'States.Runtime',
        `Arguments.${field} of s3:${api} is ${JSON.stringify(value)}, give a name`,
      );
    }
  }
  return { bucket: String(Bucket), key: String(Key) };
};

/** `aws-sdk:s3:getObject` and `putObject`: the body as text, as the SDK integration hands it over. */
export const callObjects = async (world: World, api: string, parameters: unknown): Promise<unknown> => {
  const { bucket, key } = objectPlace(parameters, api);
  try {
    if (api === 'getObject') return { Body: await text(await world.integrations.objects.get(bucket, key)) };
    const { Body } = parameters as ObjectParameters;
    await world.integrations.objects.put(bucket, key, typeof Body === 'string' ? Body : JSON.stringify(Body ?? ''));
    return {};
  } catch (error) {
    throw objectFailure(error);
  }
};
