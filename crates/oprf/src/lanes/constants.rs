//! The curve's constants (RFC 9496 §4.1), as four little-endian words, and in every lane.

use super::backend::Lanes;

/// `D`, the curve's parameter.
pub(crate) const D: [u64; 4] = [0x75eb_4dca_1359_78a3, 0x0070_0a4d_4141_d8ab, 0x8cc7_4079_7779_e898, 0x5203_6cee_2b6f_fe73];
/// `2·D`.
pub(crate) const D2: [u64; 4] = [0xebd6_9b94_26b2_f159, 0x00e0_149a_8283_b156, 0x198e_80f2_eef3_d130, 0x2406_d9dc_56df_fce7];
/// `SQRT_M1`.
pub(crate) const SQRT_M1: [u64; 4] = [0xc4ee_1b27_4a0e_a0b0, 0x2f43_1806_ad2f_e478, 0x2b4d_0099_3dfb_d7a7, 0x2b83_2480_4fc1_df0b];
/// `SQRT_AD_MINUS_ONE`.
pub(crate) const SQRT_AD_MINUS_ONE: [u64; 4] = [0x7e97_f6a0_497b_2e1b, 0xaf9d_8e0c_1b78_54bd, 0x0f3c_fcc9_31f5_d1fd, 0x3769_31bf_2b83_48ac];
/// `INVSQRT_A_MINUS_D`.
pub(crate) const INVSQRT_A_MINUS_D: [u64; 4] = [0x99c8_fdaa_805d_40ea, 0x9d2f_1617_5a41_72be, 0x16c2_7b91_fe01_d840, 0x786c_8905_cfaf_fca2];
/// `ONE_MINUS_D_SQ`.
pub(crate) const ONE_MINUS_D_SQ: [u64; 4] = [0xe27c_09c1_945f_c176, 0x2c81_a138_cd5e_350f, 0x9994_abdd_be70_dfe4, 0x0290_72a8_b2b3_e0d7];
/// `D_MINUS_ONE_SQ`.
pub(crate) const D_MINUS_ONE_SQ: [u64; 4] = [0x31ad_5aaa_44ed_4d20, 0xd29e_4a2c_b01e_1999, 0x4cdc_d32f_529b_4eeb, 0x5968_b37a_f66c_2241];

/// The constants in every lane; made once for each call on a slice.
pub(crate) struct Constants<L: Lanes> {
    pub(crate) zero: L::Fe,
    pub(crate) one: L::Fe,
    pub(crate) d: L::Fe,
    pub(crate) d2: L::Fe,
    pub(crate) sqrt_m1: L::Fe,
    pub(crate) sqrt_ad_minus_one: L::Fe,
    pub(crate) invsqrt_a_minus_d: L::Fe,
    pub(crate) one_minus_d_sq: L::Fe,
    pub(crate) d_minus_one_sq: L::Fe,
}

impl<L: Lanes> Constants<L> {
    pub(crate) fn new(l: L) -> Self {
        Self {
            zero: l.splat(&[0; 4]),
            one: l.splat(&[1, 0, 0, 0]),
            d: l.splat(&D),
            d2: l.splat(&D2),
            sqrt_m1: l.splat(&SQRT_M1),
            sqrt_ad_minus_one: l.splat(&SQRT_AD_MINUS_ONE),
            invsqrt_a_minus_d: l.splat(&INVSQRT_A_MINUS_D),
            one_minus_d_sq: l.splat(&ONE_MINUS_D_SQ),
            d_minus_one_sq: l.splat(&D_MINUS_ONE_SQ),
        }
    }
}
