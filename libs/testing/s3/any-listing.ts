import type { Random } from '../random.js';
import type { ListingManners } from './listing-manners.js';

/** How a store lists. Keys that a store leaves out are not drawn: its answers do not show them. */
export interface DrawnListing {
  manners: ListingManners;
  /** True: the store does nothing that S3 forbids or that this connector cannot handle. */
  isHonest: boolean;
}

/** A store that lists in a random way; half of the stores list falsely. */
export function drawListing(random: Random): DrawnListing {
  const rank = new Map<string, number>();
  const rankOf = (key: string): number => rank.get(key) ?? rank.set(key, random.next()).get(key)!;
  const orders: (ListingManners['order'] | undefined)[] = [
    undefined,
    (a, b) => (a < b ? -1 : a > b ? 1 : 0),
    (a, b) => rankOf(a) - rankOf(b),
  ];
  const order = random.chance(0.5) ? undefined : random.pick(orders);
  const lengths = Array.from({ length: 50 }, () => random.below(4));
  let asked = 0;
  const manners: ListingManners = {
    order,
    form: random.chance(0.25) ? 'V1' : random.chance(0.1) ? 'V1 alone' : undefined,
    startAfter: random.pick(['ignored', 'compared']),
    pageLength: () => lengths[asked++ % lengths.length] ?? 1,
    freshTokens: true,
    codings: random.chance(0.2) ? ['gzip'] : undefined,
  };
  // Without an order, a page that was lost to a refused token looks like a page that does not exist.
  if (order === undefined && manners.form === undefined && manners.startAfter === 'compared' && random.chance(0.3)) {
    manners.refusesTokens = () => random.chance(0.5);
  }
  if (random.chance(0.5)) return { manners, isHonest: true };
  return { manners: { ...manners, ...drawLie(random) }, isHonest: false };
}

function drawLie(random: Random): Partial<ListingManners> {
  const at = random.below(8);
  let calls = 0;
  return random.pick<Partial<ListingManners>>([
    { next: (end, count) => (calls++ === at ? random.below(end + 1) : end < count ? end : undefined) },
    { next: (end) => random.below(end + 1) },
    { next: (end) => Math.min(end, at), freshTokens: random.chance(0.5) },
    { page: (objects, offset) => (offset === at ? [...objects, ...objects] : objects) },
    { page: (objects, offset) => (offset > at && objects[0] ? [...objects, objects[0]] : objects) },
    { xml: (xml) => (calls++ === at ? xml.slice(0, -random.below(60) - 1) : xml) },
    { xml: (xml) => xml.replace(/<IsTruncated>\w+<\/IsTruncated>/, random.pick(['', '<IsTruncated>maybe</IsTruncated>'])) },
    { xml: (xml) => xml.replace(/<NextContinuationToken>.*?<\/NextContinuationToken>/, '') },
    { xml: (xml) => xml.replace(/<NextMarker>.*?<\/NextMarker>/, '') },
  ]); // prettier-ignore
}
