import { describeFaults } from './cells.ts';
import { archives } from './plays/archives.ts';

describeFaults(archives);
