using Graft.Data;

namespace Graft.Studio;

/// <summary>Lists the photos of a folder or a table as training would read them; what training would refuse is listed without a class.</summary>
internal static class PhotoSources
{
    public const string Unlabeled = "unlabeled";

    private static readonly string[] PartsOfData = ["train", "val", "test"];

    /// <param name="source">A folder that exists, or a .csv or .tsv file.</param>
    /// <param name="folder">The project's folder, inside of which places are counted.</param>
    /// <returns>The photos in the order of their places, and what was noticed, a sentence each.</returns>
    public static (IReadOnlyList<Photo> Photos, IReadOnlyList<string> Classes, IReadOnlyList<string> Notes) List(string source, string folder)
    {
        string? problem = null;
        LabeledImages? labeled = null;
        try
        {
            labeled = LabeledImages.Load(source, LabeledImagesOptions.ForChecking);
        }
        catch (DataException refused) when (Directory.Exists(source))
        {
            problem = refused.Message.Split('\n')[0];
        }
        var found = new Dictionary<string, Photo>(StringComparer.Ordinal);
        if (labeled is not null)
        {
            // Names such as IMG_0001.jpg say no class.
            var saysNothing = labeled.Classes.Count == 1 && labeled.All.All(image => IsIn(source, image.Path));
            var isDivided = labeled.Validation.Count + labeled.Test.Count > 0;
            foreach (var (images, part) in new[] { labeled.Train, labeled.Validation, labeled.Test }.Zip(PartsOfData))
                foreach (var image in images) Add(image.Path, saysNothing ? null : labeled.Classes[image.Class], isDivided ? part : "");
            foreach (var image in labeled.Unlabeled) Add(image.Path, null, "");
        }
        if (Directory.Exists(source))
        {
            // Photos outside of the folders of classes, and all where training would refuse the folder.
            foreach (var path in PhotoPaths.Find(source).Photos)
                if (!found.ContainsKey(PlaceOf(path, folder))) Add(path, labeled is null ? TopFolder(path, source) : null, "");
        }
        IReadOnlyList<string> classes = labeled?.Classes ?? [.. found.Values.Select(photo => photo.FolderClass).OfType<string>().Distinct().Order(StringComparer.Ordinal)];
        return (
            [.. found.Values.OrderBy(photo => photo.Place, StringComparer.Ordinal)],
            classes,
            [
                .. ClassSpelling.Alike(classes).Select(alike =>
                    $"The classes {string.Join(" and ", alike)} differ in upper and lower case only. If they mean the same, give the photos of one the other class: Windows and macOS would mix them."),
                .. problem is null || found.Count == 0 ? labeled?.Warnings ?? [] : [problem],
            ]);

        void Add(string path, string? @class, string part)
        {
            var place = PlaceOf(path, folder);
            found[place] = new(place, Path.GetFullPath(path), @class, part);
        }
    }

    public static string PlaceOf(string path, string folder)
    {
        var place = Path.GetRelativePath(folder, path).Replace(Path.DirectorySeparatorChar, '/');
        return place.StartsWith("../", StringComparison.Ordinal) ? Path.GetFullPath(path) : place;
    }

    private static bool IsIn(string folder, string path) =>
        Path.GetFullPath(Path.GetDirectoryName(path)!) == Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder));

    private static string? TopFolder(string path, string source) =>
        Path.GetRelativePath(source, path).Split(Path.DirectorySeparatorChar) is [var top, _, ..] && !top.Equals(Unlabeled, StringComparison.OrdinalIgnoreCase) ? top : null;
}
