// Answers of ListObjectsV2 over keys that never change.

const pageKeys = 1000;

/**
 * @param keys sorted by their bytes
 * @param describe `{ sizeBytes, etag, modified }` of a key; `etag` with its quotes
 * @returns `at(key)`: its place, -1 where there is none; `list(query)`: the answer's XML
 */
export function listingOf(bucket, keys, describe) {
  /** The place of the first key behind `text`. */
  const firstAfter = (text) => {
    let low = 0;
    let high = keys.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (keys[middle] <= text) low = middle + 1;
      else high = middle;
    }
    return low;
  };
  const at = (key) => {
    const place = firstAfter(key) - 1;
    return keys[place] === key ? place : -1;
  };
  const contents = (key) => {
    const { sizeBytes, etag, modified } = describe(key);
    return (
      `<Contents><Key>${key}</Key><LastModified>${modified.toISOString()}</LastModified>` +
      `<ETag>${etag.replaceAll('"', '&quot;')}</ETag><Size>${sizeBytes}</Size>` +
      `<StorageClass>STANDARD</StorageClass></Contents>`
    );
  };
  const list = (query) => {
    const prefix = query.get('prefix') ?? '';
    const after = query.get('continuation-token') ?? query.get('start-after') ?? '';
    const delimiter = query.get('delimiter') ?? '';
    const limit = Math.min(Number(query.get('max-keys') ?? pageKeys), pageKeys);
    const entries = [];
    let last = '';
    let i = Math.max(firstAfter(after), prefix === '' ? 0 : firstAfter(prefix.slice(0, -1)));
    while (i < keys.length && keys[i] < prefix) i++;
    for (; i < keys.length && keys[i].startsWith(prefix); i++) {
      if (entries.length >= limit) break;
      const cut = delimiter === '' ? -1 : keys[i].indexOf(delimiter, prefix.length);
      if (cut < 0) {
        last = keys[i];
        entries.push(contents(last));
        continue;
      }
      const common = keys[i].slice(0, cut + 1);
      entries.push(`<CommonPrefixes><Prefix>${common}</Prefix></CommonPrefixes>`);
      last = `${common}\uffff`;
      i = firstAfter(last) - 1;
    }
    const more = i < keys.length && keys[i].startsWith(prefix);
    return (
      `<?xml version="1.0" encoding="UTF-8"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">` +
      `<Name>${bucket}</Name><Prefix>${prefix}</Prefix><KeyCount>${entries.length}</KeyCount>` +
      `<MaxKeys>${limit}</MaxKeys><IsTruncated>${more}</IsTruncated>` +
      (more ? `<NextContinuationToken>${last}</NextContinuationToken>` : '') +
      `${entries.join('')}</ListBucketResult>`
    );
  };
  return { at, list };
}
