import { ServiceError } from '../gateway/service.ts';

export interface Account {
  readonly region: string;
  readonly accountId: string;
}

/** What CloudFormation says of a template or a call that it will not begin with. */
export const invalid = (message: string): ServiceError => new ServiceError('ValidationError', message);

export const formatError = (message: string): ServiceError => invalid(`Template format error: ${message}`);

export const templateError = (message: string): ServiceError => invalid(`Template error: ${message}`);

export const notHere = (what: string): ServiceError =>
  new ServiceError('NotImplemented', `cloudformation does not implement ${what} here; AWS itself does.`, {
    status: 501,
  });
