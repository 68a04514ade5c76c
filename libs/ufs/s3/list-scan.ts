/** The elements of an answer that are read, as the general parser gives them. */
export interface ScannedResult {
  Contents: Record<string, string>[];
  [name: string]: string | Record<string, string>[];
}

const read = new Set(['IsTruncated', 'NextContinuationToken', 'NextMarker', 'Marker', 'KeyCount', 'EncodingType']);
const readOfEntries = new Set(['Key', 'Size', 'ETag', 'LastModified']);
const beginning =
  /^(?:<\?xml version="1\.0"(?: encoding="(?:utf-8|UTF-8)")? ?\?>[ \n]*)?<ListBucketResult(?: xmlns="[^"<>&]*")?>/;
const end = '</ListBucketResult>';
const lessThan = 0x3c;
const slash = 0x2f;

/**
 * Reads a listing in the form that stores write it in, in a small part of the time that a general parser takes: simple
 * tags, each with its end, text without markup.
 * @param decode resolves the references of a text
 * @returns undefined for whatever else XML may contain, and for all that is not in order: the general parser reads it
 */
export function scanListing(xml: string, decode: (text: string) => string): ScannedResult | undefined {
  const start = beginning.exec(xml)?.[0].length;
  if (start === undefined || xml.includes('\r')) return undefined;
  try {
    return new Scan(xml, start, decode).result();
  } catch (error) {
    if (error === unexpected) return undefined;
    throw error;
  }
}

const unexpected = new Error('not the usual form');

class Scan {
  constructor(
    private readonly xml: string,
    private at: number,
    private readonly decode: (text: string) => string,
  ) {}

  result(): ScannedResult {
    const result: ScannedResult = { Contents: [] };
    // The general parser decides what a result without any element is.
    if (/^\s*<\//.test(this.xml.slice(this.at, this.at + 100))) throw unexpected;
    for (this.skipSpace(); !this.xml.startsWith(end, this.at); this.skipSpace()) {
      const name = this.open();
      if (name === 'Contents') {
        const entry = this.entry();
        // The general parser gives an empty text for it, which is no entry.
        if (entry !== undefined) result.Contents.push(entry);
        continue;
      }
      const text = this.leaf(name);
      if (name === 'CommonPrefixes' || Object.hasOwn(result, name)) throw unexpected;
      if (read.has(name)) result[name] = this.decode(text);
    }
    if (!/^[ \n]*$/.test(this.xml.slice(this.at + end.length))) throw unexpected;
    return result;
  }

  private entry(): Record<string, string> | undefined {
    const entry: Record<string, string> = {};
    let isEmpty = true;
    for (this.skipSpace(); this.xml.charCodeAt(this.at + 1) !== slash; this.skipSpace()) {
      const name = this.open();
      isEmpty = false;
      if (name === 'Owner') {
        for (this.skipSpace(); this.xml.charCodeAt(this.at + 1) !== slash; this.skipSpace()) this.leaf(this.open());
        this.close(name);
        continue;
      }
      const text = this.leaf(name);
      if (!readOfEntries.has(name)) continue;
      if (Object.hasOwn(entry, name)) throw unexpected;
      entry[name] = this.decode(text);
    }
    this.close('Contents');
    return isEmpty ? undefined : entry;
  }

  /**
   * The name of the tag that begins here. Nothing but letters: no attributes, no prefix, no empty element. The first is a
   * capital: the general parser refuses `constructor` and the like.
   */
  private open(): string {
    const { xml } = this;
    if (xml.charCodeAt(this.at) !== lessThan) throw unexpected;
    let i = this.at + 1;
    for (let code = xml.charCodeAt(i) | 0x20; code >= 0x61 && code <= 0x7a; code = xml.charCodeAt(++i) | 0x20);
    if (i === this.at + 1 || xml[i] !== '>' || xml.charCodeAt(this.at + 1) > 0x5a) throw unexpected;
    const name = xml.slice(this.at + 1, i);
    this.at = i + 1;
    return name;
  }

  private leaf(name: string): string {
    const next = this.xml.indexOf('<', this.at);
    if (next < 0) throw unexpected;
    const text = this.xml.slice(this.at, next);
    this.at = next;
    this.close(name);
    return text;
  }

  private close(name: string): void {
    const { xml, at } = this;
    if (xml.charCodeAt(at + 1) !== slash || !xml.startsWith(name, at + 2) || xml[at + 2 + name.length] !== '>') {
      throw unexpected;
    }
    this.at = at + 3 + name.length;
  }

  private skipSpace(): void {
    for (let code = this.xml.charCodeAt(this.at); code === 0x20 || code === 0x0a || code === 0x09;) {
      code = this.xml.charCodeAt(++this.at);
    }
    if (this.xml.charCodeAt(this.at) !== lessThan) throw unexpected;
  }
}
