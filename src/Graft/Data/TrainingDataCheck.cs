using Graft.Data.Collections;

namespace Graft.Data;

/// <summary>
/// What is wrong with a run's data as far as it can be said at no cost: from the hashes of the files, which the feature cache needs anyway,
/// and from counts. <see cref="DataCheck"/> says the rest.
/// </summary>
/// <param name="Leaks">Validation and test images that are byte-for-byte copies of training images, or test images that are copies of validation images.</param>
/// <param name="Contradictions">Images that are byte-for-byte copies of an image with another label.</param>
/// <param name="SmallClasses">The classes with fewer than 20 training images, and how many these have.</param>
public sealed record TrainingDataCheck(int Leaks, int Contradictions, IReadOnlyDictionary<string, int> SmallClasses)
{
    /// <summary>With fewer, scores of a class depend on single photos.</summary>
    private const int FewImages = 20;

    /// <summary>SHA-256 of each image file by its path; null of one that could not be read.</summary>
    internal IReadOnlyDictionary<string, byte[]?> FileHashes { get; private init; } = new Dictionary<string, byte[]?>();

    /// <param name="photos">The images as they were used; each is read once.</param>
    public static TrainingDataCheck Of(LabeledImages photos, CancellationToken cancellation = default) => Of(photos, new PhotoHashes(), cancellation);

    /// <param name="hashes">Of the images that were read before.</param>
    internal static TrainingDataCheck Of(LabeledImages photos, PhotoHashes hashes, CancellationToken cancellation)
    {
        var (leaks, contradictions) = (0, 0);
        var all = photos.Train.Select(image => (Image: image, Part: 0)).Concat(photos.Validation.Select(image => (Image: image, Part: 1)))
            .Concat(photos.Test.Select(image => (Image: image, Part: 2))).ToList();
        var found = hashes.Of([.. all.Select(entry => entry.Image)], cancellation);
        var fileHashes = new Dictionary<string, byte[]?>(StringComparer.Ordinal);
        for (var index = 0; index < all.Count; index++) fileHashes[all[index].Image.Path] = found[index];
        foreach (var copies in all.Zip(found, (entry, hash) => (entry.Image, entry.Part, Hash: hash))
                     .Where(entry => entry.Hash is not null)
                     .GroupBy(entry => Convert.ToHexString(entry.Hash!), StringComparer.Ordinal).Select(group => group.ToList()))
        {
            if (copies.Count == 1) continue;
            var first = copies.Min(entry => entry.Part);
            leaks += copies.Count(entry => entry.Part > first);
            if (copies.Any(entry => entry.Image.Class != copies[0].Image.Class)) contradictions += copies.Count;
        }
        return new(leaks, contradictions, photos.Train.CountBy(image => image.Class).Where(count => count.Value < FewImages)
            .OrderBy(count => count.Value).ThenBy(count => count.Key).ToDictionary(count => photos.Classes[count.Key], count => count.Value))
        {
            FileHashes = fileHashes,
        };
    }

    /// <summary>What spoils the results, a sentence each; empty if nothing does.</summary>
    public IReadOnlyList<string> Warnings =>
    [
        .. Leaks == 0 ? (string[])[] :
            [$"LEAK: {Photos(Leaks)} of validation or test {(Leaks == 1 ? "is" : "are")} in training too, byte for byte. "
                + "Reported scores will be optimistic."],
        .. Contradictions == 0 ? (string[])[] :
            [$"{Photos(Contradictions)} are byte-for-byte copies of a photo with another label. One of the labels is wrong."],
    ];

    /// <summary>What else is worth knowing, a sentence each.</summary>
    public IReadOnlyList<string> Notes => SmallClasses.Count == 0 ? [] :
    [
        $"Few photos to train on: {DataFindings.Some([.. SmallClasses.Select(count => $"{count.Key} {count.Value}")])}. "
            + $"Scores of classes with fewer than {FewImages} photos are rough.",
    ];

    /// <summary>Sets of images of the very same bytes, by number. Only files of one length are read.</summary>
    internal static IReadOnlyList<IReadOnlyList<int>> Copies(IReadOnlyList<LabeledImage> images)
    {
        var alike = Enumerable.Range(0, images.Count).GroupBy(index => LengthOf(images[index])).Where(group => group.Key > 0 && group.Skip(1).Any())
            .SelectMany(group => group).ToList();
        var hashes = new PhotoHashes().Of([.. alike.Select(index => images[index])], CancellationToken.None);
        return
        [
            .. alike.Zip(hashes).Where(pair => pair.Second is not null).GroupBy(pair => Convert.ToHexString(pair.Second!), pair => pair.First)
                .Where(group => group.Skip(1).Any()).Select(group => group.Order().ToArray()),
        ];
    }

    private static long LengthOf(LabeledImage image)
    {
        try
        {
            return (image.HasPath ? PhotoFile.Length(image.Path) : null) ?? image.Read().Length;
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
        {
            return -1;
        }
    }

    private static string Photos(int count) => $"{count:N0} photo{(count == 1 ? "" : "s")}";
}
