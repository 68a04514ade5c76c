import { crc32 } from 'node:zlib';

// A record in a segment file, little-endian:
//  0 u32 magic   4 u16 path length   6 u16 zero   8 u32 payload length   12 u32 payload crc32
// 16 u32 crc32 of bytes 0–15 and the path   20 path (UTF-8)   then the payload
// The index says where payloads are; headers only serve compaction, which walks a segment and asks the index which of
// its records still live.
const MAGIC = 0x31_52_44_4c; // "LDR1"
const HEADER_BYTES = 20;

export interface RecordHeader {
  path: string;
  payloadBytes: number;
  crc32: number;
}

export function recordBytes(pathBytes: number, payloadBytes: number): number {
  return HEADER_BYTES + pathBytes + payloadBytes;
}

/** Where the payload begins, counted from the record's own offset. */
export function payloadOffset(pathBytes: number): number {
  return HEADER_BYTES + pathBytes;
}

export function encodeRecordHeader(path: Buffer, payloadBytes: number, payloadCrc32: number): Buffer {
  const header = Buffer.alloc(HEADER_BYTES + path.length);
  header.writeUInt32LE(MAGIC, 0);
  header.writeUInt16LE(path.length, 4);
  header.writeUInt32LE(payloadBytes, 8);
  header.writeUInt32LE(payloadCrc32, 12);
  path.copy(header, HEADER_BYTES);
  header.writeUInt32LE(headerChecksum(header), 16);
  return header;
}

/**
 * The header at the start of `bytes`; 'short' when it needs more bytes to tell, 'damaged' when this is no record.
 */
export function decodeRecordHeader(bytes: Buffer): RecordHeader | 'short' | 'damaged' {
  if (bytes.length < HEADER_BYTES) return 'short';
  if (bytes.readUInt32LE(0) !== MAGIC) return 'damaged';
  const headerEnd = HEADER_BYTES + bytes.readUInt16LE(4);
  if (bytes.length < headerEnd) return 'short';
  const header = bytes.subarray(0, headerEnd);
  if (headerChecksum(header) !== header.readUInt32LE(16)) return 'damaged';
  return {
    path: header.toString('utf8', HEADER_BYTES),
    payloadBytes: header.readUInt32LE(8),
    crc32: header.readUInt32LE(12),
  };
}

function headerChecksum(header: Buffer): number {
  return crc32(header.subarray(HEADER_BYTES), crc32(header.subarray(0, 16)));
}
