using System.Security.Cryptography;
using Graft.Data;
using Graft.Imaging;
using Graft.Training;

namespace Graft.Runs;

internal static class TensorBoardSamples
{
    /// <summary>Writes a few photos, a row each, as a stage sees them in its first epochs.</summary>
    public static void Samples(this TensorBoardLog events, TrainingStage stage, LabeledImages photos, Preprocessing preprocessing)
    {
        var rows = new List<IReadOnlyList<RgbImage>>();
        foreach (var photo in photos.Train.GroupBy(image => image.Class).Select(ofClass => ofClass.First()).Take(6))
        {
            try
            {
                var file = photo.Read();
                var picture = ImageDecoder.Decode(file, preprocessing.Resize);
                var key = Augmentation.PictureKey(SHA256.HashData(file));
                rows.Add([.. Enumerable.Range(1, 4).Select(view => stage.Options.Augmentation.Apply(picture, stage.Options.Training.Seed, key, view))]);
            }
            catch (Exception problem) when (problem is UnreadableImageException or IOException or UnauthorizedAccessException)
            {
                // Another one will do; this one is reported where it is left out.
            }
        }
        if (rows.Count == 0) return;
        var sheet = ContactSheet.Of(rows);
        events.Image($"{stage.Name}/photos", 0, sheet.Width, sheet.Height, ContactSheet.ToPng(sheet));
    }
}
