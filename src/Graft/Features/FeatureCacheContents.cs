namespace Graft.Features;

/// <summary>What the cache holds of one space.</summary>
/// <param name="Space">What the features were computed with.</param>
/// <param name="Precision">How they are kept.</param>
/// <param name="Images">Images with features in it.</param>
/// <param name="Bytes">Of the features.</param>
/// <param name="LastUsed">The last day (UTC) on which any of them was read or written.</param>
public sealed record FeatureSpaceUse(FeatureSpace Space, FeaturePrecision Precision, long Images, long Bytes, DateOnly LastUsed);

/// <summary>What the cache holds.</summary>
/// <param name="File">The database.</param>
/// <param name="FileBytes">Its size on the disk, with its log and damaged files kept aside.</param>
/// <param name="LimitBytes">See <see cref="FeatureCacheOptions.LimitBytes"/>.</param>
/// <param name="DamagedFiles">Damaged databases kept aside.</param>
public sealed record FeatureCacheContents(
    string File, long FileBytes, long LimitBytes, IReadOnlyList<FeatureSpaceUse> Spaces, IReadOnlyList<string> DamagedFiles);

/// <summary>What reading everything again found.</summary>
/// <param name="Sound">Features whose checksum is right, for each space.</param>
/// <param name="Damaged">Features that were damaged, and removed.</param>
public sealed record FeatureCacheCheck(IReadOnlyList<(FeatureSpace Space, FeaturePrecision Precision, int Sound)> Sound, int Damaged);
