export type TenantStatus = 'provisioning' | 'active' | 'suspended' | 'deprovisioning' | 'deprovisioned' | 'failed';
