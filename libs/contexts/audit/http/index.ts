import { Module } from '@nestjs/common';
import { AuditReader } from './audit-reader.js';
import { EventStreams } from './event-streams.js';
import { EventsController } from './events.controller.js';
import { JobDirectory } from './job-directory.js';

@Module({ controllers: [EventsController], providers: [AuditReader, EventStreams, JobDirectory] })
export class AuditModule {}
