import { expect } from 'vitest';
import type { TestChat } from './chat.ts';

/** The body of an answer, which must have that status: otherwise the test fails and shows it. */
export const json = async <T = Record<string, unknown>>(response: Response, status = 200): Promise<T> => {
  const text = await response.text();
  expect({ status: response.status, text }).toEqual({ status, text });
  return JSON.parse(text) as T;
};

export interface Listed {
  readonly items: { id: string; name: string; body: string; sender: string }[];
  readonly next: string | null;
}

export interface GeneralStream {
  /** Id of acme's stream `general`. */
  readonly general: string;
  /** Posts a message there as acme's first user; answers its id. */
  post(body: string, more?: Record<string, unknown>): Promise<string>;
}

/** The stream that every tenant of the chat begins with, at acme. */
export const openGeneral = async (chat: TestChat): Promise<GeneralStream> => {
  const { items } = await json<Listed>(await chat.call('acme', 'GET', '/api/streams'));
  const general = items.find(({ name }) => name === 'general')!.id;
  return {
    general,
    post: async (body, more = {}) =>
      (
        await json<{ id: string }>(
          await chat.call('acme', 'POST', `/api/streams/${general}/messages`, { json: { body, ...more } }),
          201,
        )
      ).id,
  };
};
