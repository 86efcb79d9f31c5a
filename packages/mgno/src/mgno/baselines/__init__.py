"""What MgNO is compared with: the Fourier neural operator, a U-Net and a dilated ResNet, on any grid."""
