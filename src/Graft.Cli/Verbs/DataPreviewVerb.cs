using System.CommandLine;
using Graft.Data;
using Graft.Imaging;

namespace Graft.Cli.Verbs;

internal static class DataPreviewVerb
{
    public static Command Create()
    {
        var (data, tables) = (LabeledPhotos.Argument(), new LabeledPhotos());
        var augmentation = new AugmentationOptions();
        var output = new Option<string>("--out") { Description = "A new PNG file", HelpName = "FILE", DefaultValueFactory = _ => "preview.png" };
        var photosShown = new Option<int>("--photos") { Description = "Number of photos, one row each, taken from the classes in turn", HelpName = "COUNT", DefaultValueFactory = _ => 6 };
        var views = new Option<int>("--views") { Description = "Augmented views of each, after the photo itself", HelpName = "COUNT", DefaultValueFactory = _ => 7 };
        var size = new Option<int>("--size") { Description = "Side of each picture in pixels", HelpName = "PIXELS", DefaultValueFactory = _ => 160 };
        var seed = new Option<int>("--seed") { Description = "As for training: the same seed shows the same views", HelpName = "NUMBER", DefaultValueFactory = _ => 1 };
        var command = new Verb(
            "preview", "Look at augmented photos on a contact sheet before training on them.", "graft data preview flowers --augment medium --out sheet.png") { data };
        augmentation.AddTo(command);
        foreach (Option option in (Option[])[output, photosShown, views, size, seed]) command.Add(option);
        tables.AddTo(command);
        command.SetHandler((parsed, cancellation) =>
        {
            var chosen = augmentation.Read(parsed, unless: Augmentation.Medium);
            var (rows, columns, pixels) = (parsed.GetValue(photosShown), parsed.GetValue(views), parsed.GetValue(size));
            if (rows is < 1 or > 100 || columns is < 1 or > 100) throw new UsageException("Expected --photos and --views from 1 to 100.");
            if (pixels is < 16 or > 1024) throw new UsageException("Expected --size from 16 to 1024 pixels.");
            var source = LabeledPhotos.Existing(parsed.GetRequiredValue(data));
            var path = NewFile.Check(parsed.GetRequiredValue(output), output.Name);
            var photos = tables.Load(source, new() { Seed = parsed.GetValue(seed) }, parsed);
            var resize = Preprocessing.UnitRange(pixels);
            var sheet = new List<IReadOnlyList<RgbImage>>();
            var skipped = new List<SkippedFile>();
            foreach (var photo in InTurn(photos.Train))
            {
                if (sheet.Count == rows) break;
                cancellation.ThrowIfCancellationRequested();
                try
                {
                    var file = photo.Read();
                    var picture = ImageDecoder.Decode(file, resize.Resize);
                    var key = Augmentation.PictureKey(System.Security.Cryptography.SHA256.HashData(file));
                    sheet.Add([.. Enumerable.Range(0, columns + 1).Select(view => chosen.Apply(picture, parsed.GetValue(seed), key, view))]);
                }
                catch (UnreadableImageException problem)
                {
                    skipped.Add(new(photo.Path, problem.Reason));
                }
                catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
                {
                    skipped.Add(new(photo.Path, problem.Message));
                }
            }
            SkippedFiles.Say(skipped);
            if (sheet.Count == 0) throw new GraftException($"{source} has no photo that can be read.");
            NewFile.Write(path, ContactSheet.ToPng(ContactSheet.Of(sheet)), output.Name);
            Terminal.Say($"{path}: {sheet.Count} photo{(sheet.Count == 1 ? "" : "s")}, a row each: as it is, then {columns} view{(columns == 1 ? "" : "s")}.");
            return Terminal.Done;
        });
        return command;
    }

    /// <summary>The first image of each class, then the second of each, and so on.</summary>
    private static IEnumerable<LabeledImage> InTurn(IReadOnlyList<LabeledImage> images) =>
        images.GroupBy(image => image.Class).SelectMany(group => group.Select((image, number) => (image, number)))
            .OrderBy(pair => pair.number).Select(pair => pair.image);
}
