using Graft.Data;
using Graft.Testing;

namespace Graft.ParityTests.Data;

public class PhotographsTests
{
    [SharedFact("data/flowers5")]
    public void Flowers_are_listed_with_their_own_validation_images()
    {
        var images = LabeledImages.Load(SharedFolder.Path("data/flowers5"));

        Assert.Equal(["daisy", "dandelion", "roses", "sunflowers", "tulips"], images.Classes);
        Assert.Equal(3119, images.All.Count());
        Assert.False(images.ValidationWasSplit);
        Assert.NotEmpty(images.Validation);
        Assert.Empty(images.Skipped);
        Assert.Empty(images.Notes);
    }

    [SharedFact("data/trashnet")]
    public void A_fifth_of_each_class_of_trash_validates()
    {
        var images = LabeledImages.Load(SharedFolder.Path("data/trashnet"));

        Assert.Equal((6 * 72, 6 * 18, 6 * 40), (images.Train.Count, images.Validation.Count, images.Test.Count));
        Assert.All(images.Validation.CountBy(image => image.Class), size => Assert.Equal(18, size.Value));
    }

    // Which of these decode is for the decoder to find out; listing them must neither skip nor open them.
    [SharedFact("data/hostile")]
    public void Hostile_images_are_listed()
    {
        var images = LabeledImages.Load(SharedFolder.Path("data/hostile"));

        Assert.Equal((58 + 60, 1), (images.All.Count(), images.Skipped.Count));
        Assert.EndsWith("pillow_verdicts.tsv", images.Skipped[0].Path);
    }
}
