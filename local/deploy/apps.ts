/** Image of tenants' own apps; the laptop's kubelet runs the sample app for it. */
export const appImage = 'tenantry-app:latest';
