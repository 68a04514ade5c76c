/**
 * How long a server asks to be left alone, in milliseconds from `nowMs`; undefined where it does not say, or nothing that
 * can be understood. Seconds or an HTTP date (RFC 9110, 10.2.3); a date is taken by the server's own clock where the
 * answer has a `Date`, since the two clocks may differ.
 */
export function retryAfter(headers: Record<string, string | string[] | undefined>, nowMs: number): number | undefined {
  const value = headers['retry-after'];
  if (typeof value !== 'string') return undefined;
  const text = value.trim();
  if (/^\d{1,9}(\.\d*)?$/.test(text)) return Math.ceil(Number(text) * 1000);
  // An HTTP date names its weekday; `Date.parse` alone would take much else for a date.
  if (!/^[A-Z][a-z]{2,8},? /.test(text)) return undefined;
  const untilMs = Date.parse(text);
  if (Number.isNaN(untilMs)) return undefined;
  const serverNowMs = Date.parse(String(headers.date));
  return Math.max(0, untilMs - (Number.isNaN(serverNowMs) ? nowMs : serverNowMs));
}
