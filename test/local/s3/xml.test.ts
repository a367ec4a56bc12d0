import { describe, expect, test } from 'vitest';
import { childNamed, childrenNamed, readXml, textOf, writeXml } from '../../../local/s3/xml.ts';

describe('an XML document', () => {
  test('comes back as it was written, whatever the text holds', () => {
    const texts = ['a<b>&"c\'', ' spaces ', 'line\r\nbreak\ttab', '\u0001\u007f', 'ü😀', ']]>', '&amp;'];
    const document = readXml(writeXml('Root', { Item: texts }));
    expect(childrenNamed(document, 'Item').map((item) => item.text)).toEqual(texts);
  });

  test('is read with prefixes, attributes, comments, empty elements and CDATA', () => {
    const document = readXml(
      '<?xml version="1.0"?><!-- a --><s:Tagging xmlns:s="x"><s:TagSet a="1>"/><Key><![CDATA[<k>]]>&#x41;&#66;</Key></s:Tagging>',
    );
    expect([document.name, childNamed(document, 'TagSet')?.children, textOf(document, 'Key')]).toEqual([
      'Tagging',
      [],
      '<k>AB',
    ]);
  });

  test.each([
    ['nothing', ''],
    ['text alone', 'hello'],
    ['an open element', '<a><b></a>'],
    ['two roots', '<a/><b/>'],
    ['a document type', '<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>'],
    ['a cut end', '<a><b>'],
  ])('is refused when it is %s', (_what, text) => {
    expect(() => readXml(text)).toThrow(expect.objectContaining({ name: 'MalformedXML', status: 400 }));
  });

  test('leaves undefined members out and repeats arrays', () => {
    expect(writeXml('R', { A: undefined, B: [1, 2], C: { D: false } })).toContain(
      '><B>1</B><B>2</B><C><D>false</D></C></R>',
    );
  });
});
