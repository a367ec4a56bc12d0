import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { hostOf, namespaceName, reservedSlugs, sqlName, tenantUrl } from '../../domain/names.ts';
import { domainProblem, slugProblem } from '../../domain/tenant.ts';

/** The grammar written a second time, character by character, so that one slip in the pattern does not pass its own test. */
const isSlug = (text: string): boolean => {
  const ascii = [...text].every((letter) => 'abcdefghijklmnopqrstuvwxyz0123456789-'.includes(letter));
  const hyphens = text.startsWith('-') || text.endsWith('-') || text.includes('--');
  return (
    ascii && !hyphens && text.length >= 2 && text.length <= 40 && /[a-z]/.test(text[0]!) && !reservedSlugs.has(text)
  );
};

/** Near misses: what looks like a slug to a person, a browser or a normaliser. */
const lookalikes = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 45 }),
  fc.string({ unit: 'binary', maxLength: 45 }),
  fc.string({
    unit: fc.constantFrom(...'abz09--__..AZ \n\0\u00ad\u200b\u212a\u0430\u0435ａｄ％/\\\'"'),
    maxLength: 45,
  }),
  fc
    .tuple(
      fc.constantFrom('acme', 'admin', 'a-b', 'x9'),
      fc.constantFrom('', ' ', '\n', '-', '\u00ad', '.', '\u0301', 'A', '--b'),
    )
    .map(([slug, more]) => slug + more),
  fc.constantFrom(...reservedSlugs),
);

describe('a tenant id', () => {
  test('outside the grammar is never accepted, in 300,000 tries', { timeout: 60_000 }, () => {
    let accepted = 0;
    fc.assert(
      fc.property(lookalikes, (text) => {
        const taken = slugProblem(text) === undefined;
        if (taken) accepted += 1;
        return taken === isSlug(text);
      }),
      { numRuns: 300_000 },
    );
    // The generator must reach good ones too, or the property would hold for a check that refuses everything.
    expect(accepted).toBeGreaterThan(1_000);
  });

  test.each([
    ['ＡＤＭＩＮ', 'full-width letters that NFKC turns into ADMIN'],
    ['ad\u00admin', 'a soft hyphen that normalisation drops'],
    ['аррӏе', 'Cyrillic letters that look like apple'],
    ['\u212aelvin', 'the Kelvin sign, which lower-cases to k'],
    ['acme\n', 'a line end, which $ would let pass'],
    ['xn--80ak6aa92e', 'punycode'],
    ['a', 'one character'],
    ['1acme', 'a digit first'],
    ['acme-', 'a hyphen last'],
    ['ac--me', 'two hyphens'],
    ['Acme', 'a capital'],
    ['a'.repeat(41), '41 characters'],
    ['', 'nothing'],
  ])('%j is refused: %s', (text) => {
    expect(slugProblem(text)).toMatch(/^must be 2 to 40 characters/);
  });

  test.each(['acme', 'a1', 'acme-eu-2', 'a'.repeat(40), 'x-1'])('%s is taken', (text) => {
    expect(slugProblem(text)).toBeUndefined();
  });

  test.each(['www', 'postgres', 'template1', 'kube-system', 'mta-sts', 'wpad', 'isatap', 'localhost'])(
    '%s is reserved',
    (text) => {
      expect(slugProblem(text)).toMatch(/^is reserved.*try "/);
    },
  );

  test('that is refused gets a suggestion that would be taken, or none', () => {
    expect(slugProblem('Acme Corp!')).toMatch(/try "acme-corp"$/);
    expect(slugProblem('!!!')).not.toMatch(/try/);
    fc.assert(
      fc.property(lookalikes, (text) => {
        const hint = /try "(.*)"$/s.exec(slugProblem(text) ?? '')?.[1];
        return hint === undefined || slugProblem(hint) === undefined;
      }),
      { numRuns: 5_000 },
    );
  });
});

describe('names that are made of a tenant id', () => {
  test('are different for different ids and fit where they go', () => {
    const slug = fc.stringMatching(/^[a-z]([a-z0-9]|-[a-z0-9]){1,19}$/);
    fc.assert(fc.property(slug, slug, (one, other) => one === other || sqlName(one) !== sqlName(other)));
    expect(sqlName('acme-eu')).toBe('t_acme_eu');
    expect(namespaceName('a'.repeat(40)).length).toBeLessThanOrEqual(63);
    expect(hostOf(tenantUrl('https://{tenant}.chat.example:8443/', 'acme'))).toBe('acme.chat.example');
  });

  test('every reserved name is one that the grammar or the list itself keeps out', () => {
    for (const name of reservedSlugs) expect(slugProblem(name)).toBeDefined();
  });
});

describe('a custom domain', () => {
  test.each(['chat.acme.com', 'acme.co', 'xn--bcher-kva.example', 'a.b.c.d.example', '1.acme.com'])(
    '%s is taken',
    (text) => {
      expect(domainProblem(text)).toBeUndefined();
    },
  );

  test.each([
    ['acme', /host name/],
    ['chat.acme.com.', /trailing dot/],
    ['Chat.acme.com', /lower case/],
    ['chat.acme.com:443', /no port/],
    ['https://chat.acme.com', /host name/],
    ['büro.example', /xn--/],
    ['-chat.acme.com', /host name/],
    [`${'a'.repeat(64)}.com`, /host name/],
    [`${'a.'.repeat(126)}com`, /host name/],
    ['127.0.0.1', /not an IP address/],
    ['169.254.169.254', /not an IP address/],
    ['0x7f.0x1', /not an IP address/],
    ['2130706433', /host name/],
    ['[::1]', /host name/],
    ['metadata.google.internal', /private/],
    ['acme.localhost', /private/],
    ['printer.local', /private/],
    ['1.0.0.127.in-addr.arpa', /private/],
    ['chat.acme.com\n', /host name/],
    ['*.acme.com', /host name/],
  ])('%j is refused', (text, why) => {
    expect(domainProblem(text)).toMatch(why);
  });
});
