import { s3Error } from './errors.ts';

/** Plain data that becomes elements: arrays repeat their element, undefined leaves it out. */
export type XmlValue =
  | string
  | number
  | boolean
  | undefined
  | readonly XmlValue[]
  | { readonly [name: string]: XmlValue };

const namespace = 'http://s3.amazonaws.com/doc/2006-03-01/';

const entities: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };

/**
 * Control characters are legal in keys but not in XML 1.0: they go out as references, as AWS does (a bare CR would come
 * back as LF). Clients that hold such keys ask for encoding-type=url.
 */
const escapeText = (text: string): string =>
  // biome-ignore lint/suspicious/noControlCharactersInRegex: exactly these need a reference
  text.replace(/[&<>"\u0000-\u0008\u000b-\u001f\u007f\ufffe\uffff]/g, (character) => {
    return entities[character] ?? `&#x${character.codePointAt(0)!.toString(16)};`;
  });

const element = (name: string, value: XmlValue): string => {
  if (value === undefined) return '';
  if (Array.isArray(value)) return value.map((item: XmlValue) => element(name, item)).join('');
  if (typeof value !== 'object') return `<${name}>${escapeText(String(value))}</${name}>`;
  return `<${name}>${children(value as { [name: string]: XmlValue })}</${name}>`;
};

const children = (value: { readonly [name: string]: XmlValue }): string => {
  let text = '';
  for (const name in value) text += element(name, value[name]);
  return text;
};

const declaration = '<?xml version="1.0" encoding="UTF-8"?>\n';

/** A document with S3's namespace on its root, in the order of the members of `value`. */
export const writeXml = (root: string, value: string | { readonly [name: string]: XmlValue }): string =>
  `${declaration}<${root} xmlns="${namespace}">${typeof value === 'string' ? escapeText(value) : children(value)}</${root}>`;

/** Error documents carry no namespace. */
export const writeErrorXml = (value: { readonly [name: string]: XmlValue }): string =>
  `${declaration}<Error>${children(value)}</Error>`;

/** An element read from a request; namespaces and attributes are dropped, S3's inputs need neither. */
export interface XmlElement {
  readonly name: string;
  text: string;
  readonly children: XmlElement[];
}

const named: ReadonlyMap<string, string> = new Map([
  ['lt', '<'],
  ['gt', '>'],
  ['amp', '&'],
  ['quot', '"'],
  ['apos', "'"],
]);

const unescapeText = (text: string): string =>
  text.includes('&')
    ? text.replace(/&(?:#x([0-9a-f]+)|#(\d+)|(\w+));/gi, (whole, hex?: string, decimal?: string, name?: string) => {
        if (hex) return String.fromCodePoint(Number.parseInt(hex, 16));
        if (decimal) return String.fromCodePoint(Number(decimal));
        return named.get(name!) ?? whole;
      })
    : text;

const token =
  /<!\[CDATA\[([\s\S]*?)\]\]>|<!--[\s\S]*?-->|<\?[\s\S]*?\?>|<(\/?)([^\s/>]+)(?:\s(?:[^>"']|"[^"]*"|'[^']*')*?)?(\/?)>|([^<]+)/g;

/** Reads one document. Throws MalformedXML; a DOCTYPE is refused, so no entity can be declared. */
export const readXml = (text: string): XmlElement => {
  const top: XmlElement = { name: '', text: '', children: [] };
  const open = [top];
  let end = 0;
  for (const match of text.replace(/^\ufeff/, '').matchAll(token)) {
    const [whole, cdata, closing, qualified, empty, characters] = match;
    if (match.index !== end || qualified?.startsWith('!')) throw s3Error('MalformedXML');
    end += whole.length;
    const current = open.at(-1)!;
    if (cdata !== undefined) current.text += cdata;
    else if (characters !== undefined) current.text += unescapeText(characters.replace(/\r\n?/g, '\n'));
    else if (qualified !== undefined) {
      const name = qualified.slice(qualified.indexOf(':') + 1);
      if (closing) {
        if (open.length === 1 || current.name !== name) throw s3Error('MalformedXML');
        open.pop();
      } else {
        const child: XmlElement = { name, text: '', children: [] };
        current.children.push(child);
        if (!empty) open.push(child);
      }
    }
  }
  if (open.length !== 1 || top.children.length !== 1 || top.text.trim() !== '') throw s3Error('MalformedXML');
  return top.children[0]!;
};

export const childrenNamed = (parent: XmlElement, name: string): XmlElement[] =>
  parent.children.filter((child) => child.name === name);

export const childNamed = (parent: XmlElement | undefined, name: string): XmlElement | undefined =>
  parent?.children.find((child) => child.name === name);

export const textOf = (parent: XmlElement | undefined, name: string): string | undefined =>
  childNamed(parent, name)?.text;
