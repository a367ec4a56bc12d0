import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { checksumOfParts, startDigest } from '../../../local/s3/checksums.ts';
import { type CrcName, combineCrc, startCrc } from '../../../local/s3/crc.ts';

const crcOf = (name: CrcName, data: Buffer): bigint => {
  const crc = startCrc(name);
  crc.update(data);
  return crc.value();
};

describe('a cyclic redundancy check', () => {
  test.each([
    ['crc32', 0xcbf43926n],
    ['crc32c', 0xe3069283n],
    ['crc64nvme', 0xae8b14860a799888n],
  ] as const)('%s of 123456789 is the check value of the RevEng catalogue', (name, expected) => {
    expect(crcOf(name, Buffer.from('123456789'))).toBe(expected);
  });

  test.each([
    ['crc32c', Buffer.alloc(32), 0x8a9136aan],
    ['crc32c', Buffer.alloc(32, 0xff), 0x62a8ab43n],
    ['crc64nvme', Buffer.alloc(4096), 0x6482d367eb22b64en],
    ['crc64nvme', Buffer.alloc(4096, 0xff), 0xc0ddba7302eca3acn],
  ] as const)('%s of a block is what the NVMe and iSCSI standards print', (name, block, expected) => {
    expect(crcOf(name, block)).toBe(expected);
  });

  test.each(['crc32', 'crc32c', 'crc64nvme'] as const)(
    '%s is the same however the bytes are cut, and combines',
    (name) => {
      const data = randomBytes(1021);
      const whole = crcOf(name, data);
      for (const cut of [0, 1, 7, 8, 9, 500, 1020, 1021]) {
        const first = data.subarray(0, cut);
        const second = data.subarray(cut);
        const running = startCrc(name);
        running.update(first);
        running.update(second);
        expect(running.value()).toBe(whole);
        expect(combineCrc(name, crcOf(name, first), crcOf(name, second), second.length)).toBe(whole);
      }
    },
  );
});

test('a full-object checksum of parts is the checksum of the bytes, a composite one counts its parts', () => {
  const parts = [randomBytes(700), randomBytes(300), randomBytes(11)];
  const digestOf = (data: Buffer): string => {
    const digest = startDigest('crc64nvme');
    digest.update(data);
    return digest.finish().toString('base64');
  };
  const listed = parts.map((data) => ({ checksum: digestOf(data), size: data.length }));
  expect(checksumOfParts('crc64nvme', 'FULL_OBJECT', listed).value).toBe(digestOf(Buffer.concat(parts)));
  expect(checksumOfParts('crc32', 'COMPOSITE', listed).value).toMatch(/-3$/);
});
