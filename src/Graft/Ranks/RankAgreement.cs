using System.Globalization;
using System.Reflection;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Graft.Data;

namespace Graft.Ranks;

/// <summary>What all ranks must have alike, compared before the work begins: their Graft, the request, the photos, the weights.</summary>
internal static class RankAgreement
{
    /// <summary>Photos whose size is compared too; of more, so many evenly spread.</summary>
    private const int MostSizes = 1000;

    /// <summary>The build of Graft that a rank runs.</summary>
    public static string Build =>
        $"{typeof(RankAgreement).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion} ({typeof(RankAgreement).Module.ModuleVersionId})";

    /// <param name="facts">By what a sentence calls them: "another request", "other photos".</param>
    /// <exception cref="GraftException">On every rank alike: a rank has another value than rank 0.</exception>
    public static void Check(ICollective ranks, IReadOnlyDictionary<string, string> facts)
    {
        var all = ranks.AllGather(JsonSerializer.SerializeToUtf8Bytes(new Dictionary<string, string>(facts) { [""] = ranks.Name }))
            .Select(own => JsonSerializer.Deserialize<Dictionary<string, string>>(own)!).ToList();
        var problems = all[0].Where(fact => fact.Key.Length > 0).SelectMany(fact => all.Skip(1).Where(other => other.GetValueOrDefault(fact.Key) != fact.Value)
            .Select(other => $"{other[""]} has {fact.Key} than {all[0][""]}: {Short(other.GetValueOrDefault(fact.Key))}, not {Short(fact.Value)}.")).ToList();
        if (problems.Count == 0) return;
        var more = problems.Count > 3 ? $" So do {problems.Count - 3} more." : "";
        throw new GraftException(
            $"The ranks do not work on the same: {string.Join(" ", problems.Take(3))}{more} "
            + "Give every machine the same Graft, the same files under the same names, and the same command.")
        { Code = "ranks-differ" };
    }

    /// <summary>Compares Graft, photos and pretrained weights, and with them, of a training, the request.</summary>
    /// <exception cref="GraftException">See <see cref="Check(ICollective, IReadOnlyDictionary{string, string})"/>.</exception>
    public static void Check(ICollective ranks, LabeledImages photos, string weights, string request = "") => Check(ranks, new Dictionary<string, string>
    {
        ["another build of Graft"] = Build,
        ["another request"] = request,
        ["other photos"] = FingerprintOf(photos),
        ["other weights"] = weights,
    });

    /// <summary>What tells the photos apart from others: how they are divided, names, classes, and how large (some of) the files are.</summary>
    public static string FingerprintOf(LabeledImages photos)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        LabeledImage[] all = [.. photos.All];
        var step = Math.Max(1, all.Length / MostSizes);
        Append($"{photos.Train.Count} {photos.Validation.Count} {photos.Test.Count} {string.Join('/', photos.Classes)}");
        for (var index = 0; index < all.Length; index++)
        {
            var image = all[index];
            var size = index % step == 0 && image.IsFile ? new FileInfo(image.Path) is { Exists: true } file ? file.Length : -1 : 0;
            Append(string.Create(CultureInfo.InvariantCulture, $"{Path.GetFileName(Path.GetDirectoryName(image.Path))}/{Path.GetFileName(image.Path)} {image.Class} {size}"));
        }
        return $"{all.Length:N0} photos, {Convert.ToHexStringLower(hash.GetHashAndReset())[..16]}";

        void Append(string text) => hash.AppendData(Encoding.UTF8.GetBytes(text + "\n"));
    }

    private static string Short(string? value) => value is null ? "none" : value.Length <= 80 ? value : $"{value[..38]}…{value[^38..]}";
}
