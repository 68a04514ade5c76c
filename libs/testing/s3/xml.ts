/** A value as the content of an XML element. Arrays repeat the element. */
export type XmlValue = string | number | boolean | XmlElement | XmlValue[] | undefined;
export interface XmlElement {
  [name: string]: XmlValue;
}

const declaration = '<?xml version="1.0" encoding="UTF-8"?>\n';

export function xmlDocument(root: string, content: XmlElement): Buffer {
  const namespace = root === 'Error' ? '' : ' xmlns="http://s3.amazonaws.com/doc/2006-03-01/"';
  return Buffer.from(`${declaration}<${root}${namespace}>${children(content)}</${root}>`);
}

function children(content: XmlElement): string {
  return Object.entries(content)
    .flatMap(([name, value]) =>
      Array.isArray(value) ? value.map((item) => element(name, item)) : element(name, value),
    )
    .join('');
}

function element(name: string, value: XmlValue): string {
  if (value === undefined) return '';
  return `<${name}>${typeof value === 'object' ? children(value as XmlElement) : escapeXml(String(value))}</${name}>`;
}

function escapeXml(text: string): string {
  // eslint-disable-next-line no-control-regex -- S3 writes control characters as references, though XML 1.0 has none
  return text.replace(/[&<>"\u0000-\u001f]/g, (character) => {
    switch (character) {
      case '&':
        return '&amp;';
      case '<':
        return '&lt;';
      case '>':
        return '&gt;';
      case '"':
        return '&quot;';
      default:
        return `&#x${character.charCodeAt(0).toString(16)};`;
    }
  });
}
