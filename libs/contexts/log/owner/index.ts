import { Module } from '@nestjs/common';
import { JobsModule } from '#contexts/jobs/http';
import { CheckpointWriter } from './checkpoint-writer.js';

/** Keeps the log's own books. */
@Module({ imports: [JobsModule], providers: [CheckpointWriter] })
export class LogModule {}
