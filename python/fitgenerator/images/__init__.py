"""Image augmentation in parallel with the training; needs the extra `images`.

The names, arguments and defaults are those of Keras's class, which Keras calls legacy::

    from fitgenerator.images import ImageDataGenerator

    augmented = ImageDataGenerator(rotation_range=20, horizontal_flip=True, rescale=1 / 255)
    flow = augmented.flow_from_directory("photos", target_size=(224, 224))
    fitgenerator.fit_generator(model, flow, epochs=10, workers=2)
"""

from .flows.arrays import NumpyArrayIterator
from .flows.base import Iterator
from .flows.data_frame import DataFrameIterator
from .flows.directory import DirectoryIterator
from .generator import ImageDataGenerator

__all__ = [
    "DataFrameIterator",
    "DirectoryIterator",
    "ImageDataGenerator",
    "Iterator",
    "NumpyArrayIterator",
]

# Their module is the public one, in `repr`, in pickles and in R's class(), wherever a file lies.
for _kind in map(globals().__getitem__, __all__):
    _kind.__module__ = __name__
