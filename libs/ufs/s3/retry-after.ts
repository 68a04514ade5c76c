/**
 * How long a server asks clients to wait, in milliseconds from `nowMs`; undefined where it does not say so clearly.
 * Seconds or an HTTP date (RFC 9110, 10.2.3). A date is compared with the answer's own `Date`, if there is one, as the
 * two clocks may differ.
 */
export function retryAfter(headers: Record<string, string | string[] | undefined>, nowMs: number): number | undefined {
  const value = headers['retry-after'];
  if (typeof value !== 'string') return undefined;
  const text = value.trim();
  if (/^\d{1,9}(\.\d*)?$/.test(text)) return Math.ceil(Number(text) * 1000);
  // An HTTP date names its weekday; `Date.parse` alone would accept much else as a date.
  if (!/^[A-Z][a-z]{2,8},? /.test(text)) return undefined;
  const untilMs = Date.parse(text);
  if (Number.isNaN(untilMs)) return undefined;
  const serverNowMs = Date.parse(String(headers.date));
  return Math.max(0, untilMs - (Number.isNaN(serverNowMs) ? nowMs : serverNowMs));
}
