import '#node-version';

// Imported late, because this module may not load on an old Node.
void import('./run.js');
