import { Module } from '@nestjs/common';
import { JobsModule } from '#contexts/jobs/http';
import { CheckpointWriter } from './checkpoint-writer.js';

/** Writes the checkpoints of the log. */
@Module({ imports: [JobsModule], providers: [CheckpointWriter] })
export class LogModule {}
