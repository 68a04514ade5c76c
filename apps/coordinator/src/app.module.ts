import { Module, type DynamicModule, type Provider } from '@nestjs/common';
import { APP_FILTER, APP_PIPE } from '@nestjs/core';
import { API_DOCUMENT, ApiDocsModule } from '#contexts/api-docs/http';
import { AuditModule } from '#contexts/audit/http';
import { FileIndexModule } from '#contexts/file-index/http';
import { JobKinds } from '#contexts/jobs/kinds';
import { LogGuard } from '#contexts/log/marks';
import { LogModule } from '#contexts/log/owner';
import { MembershipModule } from '#contexts/membership/http';
import { KeyRing, MountKeys } from '#contexts/namespace';
import { NamespaceModule } from '#contexts/namespace/http';
import { LogTrust } from '#contexts/trust/gate';
import { EventStore, WorkQueue } from '#jetstream';
import { jobKindModules, jobKinds } from '#job-kinds/coordinator';
import { CommandHandler, CONFIG, Heartbeats, Recorder, Shutdown, StatusFilter, validationPipe, Views } from '#runtime';
import { document } from './api-document.js';
import { HealthController } from './health.controller.js';
import type { Infrastructure } from './infrastructure.js';

/** Provides what every context may inject. */
@Module({})
class RuntimeModule {
  static of(infrastructure: Infrastructure, shutdown: Shutdown): DynamicModule {
    const { config, store, views, commands, work, heartbeats, recorder, keyRing, guard, trust } = infrastructure;
    const providers: Provider[] = [
      { provide: CONFIG, useValue: config },
      { provide: EventStore, useValue: store },
      { provide: Views, useValue: views },
      { provide: CommandHandler, useValue: commands },
      { provide: WorkQueue, useValue: work },
      { provide: Heartbeats, useValue: heartbeats },
      { provide: Recorder, useValue: recorder },
      { provide: KeyRing, useValue: keyRing },
      { provide: MountKeys, useValue: new MountKeys(keyRing) },
      { provide: LogGuard, useValue: guard },
      { provide: LogTrust, useValue: trust },
      { provide: Shutdown, useValue: shutdown },
      { provide: JobKinds, useValue: jobKinds },
      { provide: API_DOCUMENT, useValue: document },
    ];
    return { module: RuntimeModule, global: true, providers, exports: providers };
  }
}

@Module({
  imports: [
    ...[NamespaceModule, MembershipModule, ...jobKindModules],
    ...[FileIndexModule, LogModule, AuditModule, ApiDocsModule],
  ],
  controllers: [HealthController],
  providers: [
    { provide: APP_FILTER, useClass: StatusFilter },
    { provide: APP_PIPE, useFactory: validationPipe },
  ],
})
export class AppModule {
  static of(infrastructure: Infrastructure, shutdown: Shutdown): DynamicModule {
    return { module: AppModule, imports: [RuntimeModule.of(infrastructure, shutdown)] };
  }
}
